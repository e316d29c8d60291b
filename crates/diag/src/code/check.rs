//! Checks that are declared.

super::group! {
    GROUP: "a check",
    "`landfall smoke` makes the declared checks again, and says what each of them saw.";
    CHECKS_UNMADE = 540, Failed, "The checks cannot be made.";
    CHECK_FAILED = 541, Failed, "A check fails.";
}
