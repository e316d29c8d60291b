//! The contract of the small stores, and what lies on disk.

mod it {
    mod contract;
    mod files;
}
