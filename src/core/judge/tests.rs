//! The rules, each by an example.
