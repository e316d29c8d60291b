//! What is asked where something is delivered, and by whichever system a file is of; and what stays when a cluster goes.

use super::{COMMITTED, place};

#[test]
fn the_book_stays_when_the_embedded_cluster_of_one_environment_goes() {
    let place = place(COMMITTED).delivered();
    place.promote(&[]).exits(0);
    place.run_as("ada", &["hold", "0.5.0", "--reason", "loses orders"]).exits(0);
    let state = place.shop.root().join(".landfall");
    for words in [&["down", "--env", "test", "--yes"][..], &["down", "--env", "test", "--yes"]] {
        place.shop.run(words).exits(0).says("the book of the system stays");
        assert!(!state.join("cluster.db").exists() && state.join("store.db").exists());
        place.run_as("ada", &["hold"]).exits(0).says("loses orders");
        place.shop.run(&["history", "--promotions"]).exits(0).says("0.5.0");
    }
    // And the next one begins with it.
    place.shop.run(&["up", "--env", "test"]).exits(0);
    place.promote(&[]).exits(5).says("LF0973");
    place.shop.run(&["cluster", "reset", "--yes"]).exits(0).says("the book of the system stays");
    place.run_as("ada", &["hold"]).exits(0).says("loses orders");
}
