//! The fleet's contract: what an edge believes, and how a campaign goes.

mod it {
    mod campaign;
    mod interleavings;
    mod trust;
}
