//! What a project file may say, and how it is told what it may not.

mod it {
    mod refused;
}
