//! News of ApplicationSets: that one of them errs or waits for somebody, and that it does no more.

use jiff::Timestamp;
use landfall_object::ObjectKey;
use landfall_store::{NewsItem, NewsRow};
use serde_json::json;

use super::{Kind, Told};

/// What a set's news are of: an Application may have the same name.
pub(super) fn target(set: &ObjectKey) -> String {
    format!("ApplicationSet {}/{}", set.namespace.as_deref().unwrap_or_default(), set.name)
}

/// The news of a set that errs for a reason since some time, or does not; `last` is what was told last of it, newest first.
pub(super) fn item(set: &ObjectKey, error: Option<(&str, &str)>, last: &[NewsRow], now: Timestamp) -> Option<NewsItem> {
    let target = target(set);
    let mut since_well = last.iter().take_while(|row| row.item.kind != Kind::Recovered.word());
    let (kind, mark, title, text) = match error {
        // A process that begins looks anew, and finds the same again: that is no change.
        Some((_, why)) if since_well.any(|row| row.item.body["text"] == why) => return None,
        Some((since, why)) => {
            (Kind::Unrendered, since.to_owned(), format!("{target} is not carried out"), why.to_owned())
        }
        None => {
            let ill = since_well.next()?;
            let title = format!("{target} generates its Applications again");
            (Kind::Recovered, ill.number.to_string(), title, "nothing is wrong with it".to_owned())
        }
    };
    let told = Told { title, text, help: "landfall app list".to_owned(), commit: None };
    Some(NewsItem {
        change: format!("{} {target} {mark}", kind.word()),
        at: landfall_object::whole_second(now).to_string(),
        kind: kind.word().to_owned(),
        target,
        body: json!(told),
    })
}

#[cfg(test)]
mod tests {
    use landfall_object::Gvk;

    use super::*;

    fn row(number: i64, item: NewsItem) -> NewsRow {
        NewsRow { number, item }
    }

    #[test]
    fn an_error_is_told_once_until_it_is_gone_and_another_one_beside_it() {
        let set = ObjectKey::new(Gvk::new("argoproj.io", "v1alpha1", "ApplicationSet"), Some("argocd"), "teams");
        let now: Timestamp = "2026-02-02T00:00:00Z".parse().expect("a time");
        let told = |error, last: &[NewsRow]| item(&set, error, last, now);
        assert_eq!(told(None, &[]), None, "who never erred is not well again");
        let first = told(Some(("t1", "no branch")), &[]).expect("told");
        assert_eq!(first.change, "unrendered ApplicationSet argocd/teams t1");
        let first = row(1, first);
        assert_eq!(told(Some(("t2", "no branch")), std::slice::from_ref(&first)), None);
        let other = row(2, told(Some(("t3", "no repository")), std::slice::from_ref(&first)).expect("another"));
        let last = [other.clone(), first.clone()];
        assert_eq!(told(Some(("t4", "no branch")), &last), None);
        let well = told(None, &last).expect("well again");
        assert_eq!(well.change, "recovered ApplicationSet argocd/teams 2");
        let last = [row(3, well), other, first];
        assert_eq!(told(None, &last), None);
        assert!(told(Some(("t5", "no branch")), &last).is_some());
    }
}
