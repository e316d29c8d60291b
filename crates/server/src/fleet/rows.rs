//! Campaigns and their members as they are written down.

use landfall_fleet::campaign::{Campaign, EdgeNumber, Member, MemberState, Standing};
use landfall_fleet::protocol::FailureClass;
use landfall_store::{CampaignRow, MemberRow};
use serde_json::json;

use super::campaigns::word;

pub(super) fn campaign_row(row: &CampaignRow, standing: &Standing) -> CampaignRow {
    CampaignRow { standing: serde_json::to_string(standing).unwrap_or_default(), ..row.clone() }
}

pub(super) fn member_row(campaign_id: &str, campaign: &Campaign, edge: EdgeNumber) -> Option<MemberRow> {
    let (member, place) = (campaign.member(edge)?, campaign.place(edge)?);
    let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    Some(MemberRow {
        campaign: campaign_id.to_owned(),
        edge,
        place: number(place),
        wave: number(member.wave),
        state: member.state.as_str().to_owned(),
        attempt: i64::from(member.attempt),
        unanswered: i64::from(member.unanswered),
        since: member.since,
        epoch: i64::from(member.epoch),
        not_before: member.not_before,
        previous_version: member.previous_version.clone(),
        failure: member.failure.map(|class| word(&class)),
        reason: member.reason.clone(),
    })
}

pub(super) fn member_of(row: &MemberRow) -> Option<Member> {
    let short = |number: i64| u32::try_from(number).ok();
    let failure = match &row.failure {
        Some(text) => Some(serde_json::from_value::<FailureClass>(json!(text)).ok()?),
        None => None,
    };
    Some(Member {
        state: MemberState::parse(&row.state)?,
        attempt: short(row.attempt)?,
        unanswered: short(row.unanswered)?,
        since: row.since,
        epoch: short(row.epoch)?,
        not_before: row.not_before,
        previous_version: row.previous_version.clone(),
        failure,
        reason: row.reason.clone(),
        ..Member::new(row.edge, usize::try_from(row.wave).ok()?)
    })
}
