//! The settings language of strongswan.conf and swanctl.conf, and the options written in it.
//!
//! - Text: [`Settings::load`] reads a file and what it includes from a [`Source`]; a [`LoadError`] names file, line
//!   and column and can draw the line. [`Settings::to_bytes`] prints settings back.
//! - Lookup: a [`View`] is a section with its references followed; [`Settings::fallback`] lays sections over each
//!   other. Typed lookups ([`View::bool`], [`View::time`], ..) fail with a [`ValueError`] that names file, line
//!   and key. Every [`Value`] keeps its [`Location`].
//! - Options: [`options`] is the one table of the keys of strongswan.conf; [`check`] compares settings with it.
#![forbid(unsafe_code)]

mod check;
mod error;
mod glob;
mod lexer;
mod lists;
mod location;
mod lookup;
pub mod options;
mod parse;
mod print;
pub mod scalar;
mod settings;
mod source;
mod text;
mod tree;

pub use check::{Notice, check};
pub use error::{Found, LoadError, SyntaxError, SyntaxErrorKind};
pub use location::Location;
pub use lookup::ValueError;
pub use scalar::Problem;
pub use settings::{Settings, View};
pub use source::{FileSystem, Memory, Source};
pub use tree::Value;
