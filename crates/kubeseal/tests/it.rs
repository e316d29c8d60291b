//! kubeseal's calls, ours beside the stock binary's.

mod it {
    mod bench;
    mod calls;
    mod oracle;
}
