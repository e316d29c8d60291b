//! The way back from a campaign: one that brings each edge to what it ran before.

use std::sync::Arc;

use landfall_diag::{Diagnostic, code};
use landfall_fleet::campaign::{Campaign, CampaignState, Observation};
use serde_json::{Value, json};

use super::Control;
use super::campaigns::{NO_CONSENT, NO_NEWER, NewCampaign, Slot};

impl Control {
    /// Ends a campaign, and makes one for each version that edges go back to.
    pub(super) async fn roll_back(&self, by: &str, slot: &Arc<Slot>) -> Result<Value, Diagnostic> {
        let Some((product, mut reversal)) = slot.look(|it| (it.spec().product.clone(), it.reversal())) else {
            return Err(Diagnostic::error(code::BUG, "the campaign cannot be looked at"));
        };
        let is_open = |it: &Slot| it.look(Campaign::is_open).unwrap_or(false);
        // There is one for each version: while one of them is under way, those are made that are missing.
        let mut ways = self.campaigns.all();
        ways.retain(|it| it.row.undoes == slot.row.id);
        if let Some(back) = ways.iter().find(|it| is_open(it)) {
            let leads_to = |it: &Arc<Slot>, version: &str| {
                let leads = |campaign: &Campaign| {
                    campaign.spec().version == version && campaign.standing().state != CampaignState::Aborted
                };
                it.look(leads).unwrap_or(false)
            };
            reversal.retain(|(version, _)| !ways.iter().any(|it| leads_to(it, version)));
            if reversal.is_empty() {
                let text = format!("the campaign {} is rolled back already, by {}", slot.row.name, back.row.name);
                return Err(Diagnostic::refused(code::EDGE_CONFLICT, text)
                    .help(format!("landfall edge campaign get {}", back.row.name)));
            }
        }
        let goes_on = is_open(slot) || slot.look(|it| it.catches_up()).unwrap_or(false);
        if reversal.is_empty() && !goes_on {
            let text = format!(
                "the campaign {} has ended, and no edge of it is known to have run another version of {product} before",
                slot.row.name
            );
            return Err(Diagnostic::refused(code::EDGE_CONFLICT, text).note("nothing was changed"));
        }
        let (mut wishes, mut stay) = (Vec::new(), Vec::new());
        for (version, edges) in reversal {
            let edges = edges.into_iter().filter_map(|edge| self.book.by_number(edge));
            let new = NewCampaign {
                name: format!("{}-back-to-{version}", slot.row.name),
                product: Some(product.clone()),
                version,
                edges: edges.map(|edge| edge.now.lock().row.id.to_string()).collect(),
                waves: Some("100%".to_owned()),
                soak_seconds: Some(0),
                max_failure_percent: Some(50),
                downgrade: true,
                ..NewCampaign::default()
            };
            // What cannot be gone back to is told before anything is ended.
            let planned = self.plan_campaign(&new)?;
            if let Some((edge, why)) = planned.left_out.first().filter(|_| planned.members.is_empty()) {
                let text = format!("{product} {} cannot be gone back to", new.version);
                let told = Diagnostic::refused(code::EDGE_CONFLICT, text).note(format!("{edge}: {why}"));
                let is_so = |reason: &str| planned.left_out.iter().any(|(_, why)| *why == reason);
                return Err(if is_so(NO_CONSENT) {
                    let version = &new.version;
                    told.help(format!(
                        "landfall edge release consent {version} --product {product} --key-file TARGETS.pem"
                    ))
                } else if is_so(NO_NEWER) {
                    told.help("release what ran there under a version that is newer, and bring edges to that")
                } else {
                    told.help("landfall edge release list")
                });
            }
            stay.extend(planned.left_out);
            wishes.push(new);
        }
        if goes_on {
            self.changed(slot, &[Observation::Abort]).await?;
        }
        let mut made = Vec::new();
        for new in wishes {
            made.push(self.create_campaign(&new, (by, &slot.row.id)).await?.0.told());
        }
        let mut told = slot.told();
        told["reversals"] = made.into();
        told["leftOut"] = stay.iter().map(|(edge, why)| json!({"edge": edge, "why": why})).collect();
        Ok(told)
    }
}
