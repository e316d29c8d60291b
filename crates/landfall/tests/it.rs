//! The binary from outside: what is typed, what is seen, what is left behind.

mod it {
    pub(crate) mod inspection;
    pub(crate) mod rendered;
    pub(crate) mod sandbox;
    pub(crate) mod workshop;

    mod addons;
    mod addresses;
    mod applications;
    mod builds;
    mod charts;
    mod consents;
    mod doctor;
    mod doors;
    mod down;
    mod drift;
    mod envelope;
    mod errors;
    mod example;
    mod explain;
    mod ezscale;
    mod faults;
    mod forges;
    mod forwards;
    mod grammar;
    mod history;
    mod kills;
    mod links;
    mod looks;
    mod luckyplans;
    mod machines;
    mod ownership;
    mod previews;
    mod refusals;
    mod rehearsal;
    mod releases;
    mod renamed;
    mod said;
    mod sarif;
    mod sealing;
    mod secrecy;
    mod sens;
    mod served;
    mod services;
    mod serving;
    mod shelf;
    mod signing;
    mod stored;
    mod targets;
    mod terminal;
    mod themes;
    mod together;
    mod trials;
    mod unserved;
    mod unsimulated;
    mod website;
}
