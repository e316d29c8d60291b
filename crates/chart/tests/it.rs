//! The chart room against Helm: charts, arguments and what Helm 3 printed.

mod it {
    pub(crate) mod arguments;
    mod before;
    mod cases;
    mod limits;
    mod lint;
    mod provenance;
    mod side_by_side;
    mod told;
}
