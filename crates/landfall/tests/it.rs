//! The binary from outside: what is typed, what is seen, what is left behind.

mod it {
    pub(crate) mod sandbox;

    mod addresses;
    mod down;
    mod errors;
    mod example;
    mod kills;
    mod luckyplans;
    mod refusals;
    mod served;
    mod services;
    mod targets;
}
