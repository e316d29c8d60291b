//! Applications: desired against live, sync policy.
