//! Storage seam of leveret.
