//! How many of something each user may have at once.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::status::Status;

/// Counts what each user has open.
pub(crate) struct Places {
    /// What is counted, in the plural.
    what: &'static str,
    most: usize,
    taken: Mutex<HashMap<Box<str>, usize>>,
}

/// One of a user's; given back when dropped.
pub(crate) struct Place {
    places: Arc<Places>,
    user: Box<str>,
}

impl Places {
    pub(crate) fn new(what: &'static str, most: usize) -> Arc<Self> {
        Arc::new(Self { what, most, taken: Mutex::default() })
    }

    /// One more for a user; 429 when there are as many as may be.
    pub(crate) fn take(self: &Arc<Self>, user: &str) -> Result<Place, Status> {
        let mut taken = self.taken.lock();
        let count = taken.entry(user.into()).or_default();
        if *count >= self.most {
            return Err(Status::too_many_open(format!(
                "user {user:?} has {count} {} open, and may have no more at once; close some and ask again",
                self.what
            )));
        }
        *count += 1;
        Ok(Place { places: Arc::clone(self), user: user.into() })
    }
}

impl Place {
    /// Whose it is.
    pub(crate) fn user(&self) -> &str {
        &self.user
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock();
        if let Some(count) = taken.get_mut(&self.user) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_when_it_was_given_back() {
        let places = Places::new("watches", 2);
        let first = places.take("jane").expect("one");
        let _second = places.take("jane").expect("two");
        let refused = places.take("jane").err().expect("no third");
        assert_eq!(refused.code, 429);
        assert_eq!(
            refused.message,
            "user \"jane\" has 2 watches open, and may have no more at once; close some and ask again"
        );
        let _others = places.take("joe").expect("everybody has their own");
        drop(first);
        let _third = places.take("jane").expect("there is room again");
    }
}
