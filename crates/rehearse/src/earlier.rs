//! The machine as templates saw it when what runs was delivered: at another time than the change is.

use std::sync::Arc;
use std::time::Duration;

use jiff::{Span, Timestamp};
use landfall_source::surroundings_for_show;
use landfall_sprig::{Clock, Context};

/// What a base revision is rendered with. A Job that is named by the time of day is another one with the change: rendered within one
/// second it would be one, which no API lets change.
pub(crate) fn surroundings_of_the_base() -> Context {
    let machine = surroundings_for_show();
    Context { clock: Arc::new(Earlier(machine.clock)), ..machine }
}

struct Earlier(Arc<dyn Clock>);

impl Clock for Earlier {
    fn now(&self) -> Timestamp {
        // Another day, hour, minute and second, whatever a template prints of it.
        let ago = Span::new().hours(25).minutes(1).seconds(1);
        let now = self.0.now();
        now.checked_sub(ago).unwrap_or(now)
    }

    fn running(&self) -> Option<Duration> {
        self.0.running()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_is_older_than_a_day() {
        let ago = surroundings_for_show().clock.now().duration_since(surroundings_of_the_base().clock.now());
        assert!(ago.as_secs() >= 25 * 3600 + 61 - 1, "{ago:?}");
    }
}
