//! Lookups that know the default.

use std::time::Duration;

use super::{Kind, Opt, Program, find};
use crate::scalar::{self, Mark, Problem};
use crate::{Settings, ValueError, View};

/// The sections of a program seen as one, with the defaults of the table behind them.
///
/// Every lookup takes a path of the table. One that is not there, or is of another type, is a mistake in the program and
/// panics; so does asking for the default of a key that has none.
#[derive(Debug, Clone)]
pub struct Configured<'a> {
    program: Program,
    view: View<'a>,
}

impl<'a> Configured<'a> {
    /// The settings of a program.
    pub fn new(settings: &'a Settings, program: Program) -> Self {
        Self { program, view: settings.fallback(program.sections()) }
    }

    /// What is set, without defaults.
    pub fn view(&self) -> &View<'a> {
        &self.view
    }

    /// Yes or no.
    ///
    /// # Errors
    /// If the value set is neither.
    pub fn bool(&self, path: &str) -> Result<bool, ValueError> {
        self.typed(path, scalar::parse_bool)
    }

    /// An integer of any type that fits.
    ///
    /// # Errors
    /// If the value set is not an integer or the type cannot hold it.
    pub fn int<T: TryFrom<i128>>(&self, path: &str) -> Result<T, ValueError> {
        self.typed(path, scalar::parse_int)
    }

    /// A decimal number.
    ///
    /// # Errors
    /// If the value set is not a finite number.
    pub fn float(&self, path: &str) -> Result<f64, ValueError> {
        self.typed(path, scalar::parse_float)
    }

    /// A duration.
    ///
    /// # Errors
    /// If the value set is not a time.
    pub fn time(&self, path: &str) -> Result<Duration, ValueError> {
        self.typed(path, scalar::parse_time)
    }

    /// A number of bytes.
    ///
    /// # Errors
    /// If the value set is not a size.
    pub fn bytes(&self, path: &str) -> Result<u64, ValueError> {
        self.typed(path, scalar::parse_bytes)
    }

    /// As [`Self::int`], of a key that has no default.
    ///
    /// # Errors
    /// If the value set is not an integer or the type cannot hold it.
    pub fn int_if_set<T: TryFrom<i128>>(&self, path: &str) -> Result<Option<T>, ValueError> {
        self.view.typed(path, Self::checked(self.option(path), scalar::parse_int))
    }

    /// Text; `None` if it is empty, set or not.
    ///
    /// # Errors
    /// If the value set is not UTF-8.
    pub fn text(&self, path: &str) -> Result<Option<&str>, ValueError> {
        let text = self.view.text(path)?.unwrap_or_else(|| self.option(path).default);
        Ok(Some(text).filter(|text| !text.is_empty()))
    }

    /// Items separated by commas.
    ///
    /// # Errors
    /// If the value set is not UTF-8.
    pub fn list(&self, path: &str) -> Result<Vec<&str>, ValueError> {
        Ok(self.text(path)?.map(|text| scalar::split_list(text).collect()).unwrap_or_default())
    }

    /// The word that was chosen; `None` if none was and there is no default.
    ///
    /// # Errors
    /// If the value set is none of the words.
    pub fn choice(&self, path: &str) -> Result<Option<&'static str>, ValueError> {
        let Opt { kind: Kind::Choice(words), default, .. } = self.option(path) else {
            panic!("{path} is no choice")
        };
        let set = self.view.typed(path, |text| scalar::parse_choice(text, words))?;
        Ok(set.or(Some(*default)).filter(|word| !word.is_empty()))
    }

    /// A firewall mark, if one is set.
    ///
    /// # Errors
    /// If the value set is not a mark.
    pub fn mark(&self, path: &str) -> Result<Option<Mark>, ValueError> {
        self.view.typed(path, Self::checked(self.option(path), scalar::parse_mark))
    }

    /// A value in a type of the caller's own; `None` if it is not set and has no default.
    ///
    /// # Errors
    /// What `parse` finds wrong, as a clause behind the value.
    pub fn parsed<T>(
        &self,
        path: &str,
        parse: impl Fn(&str) -> Result<T, Problem>,
    ) -> Result<Option<T>, ValueError> {
        let default = self.option(path).default;
        let set = self.view.typed(path, &parse)?;
        Ok(set.or_else(|| {
            (!default.is_empty()).then(|| parse(default).expect("a default is a value of its key's type"))
        }))
    }

    fn typed<T>(&self, path: &str, parse: impl Fn(&str) -> Result<T, Problem>) -> Result<T, ValueError> {
        let option = self.option(path);
        let parse = Self::checked(option, parse);
        let set = self.view.typed(path, &parse)?;
        Ok(set.unwrap_or_else(|| parse(option.default).expect("a default is a value of its key's type")))
    }

    /// A parser that keeps to the bounds of the table as well.
    fn checked<T>(
        option: &'static Opt,
        parse: impl Fn(&str) -> Result<T, Problem>,
    ) -> impl Fn(&str) -> Result<T, Problem> {
        move |text| option.kind.check(text).and_then(|()| parse(text))
    }

    fn option(&self, path: &str) -> &'static Opt {
        let names: Vec<&str> = path.split('.').collect();
        find(self.program, &names).expect("a key that is looked up is in the table")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_set_is_as_the_table_has_it() {
        let settings = Settings::parse("s.conf", b"charon { port = 1500\n half_open_timeout = 1m }")
            .expect("the test writes valid settings");
        let configured = Configured::new(&settings, Program::Daemon);
        assert_eq!(configured.int("port"), Ok(1500_u16));
        assert_eq!(configured.int("port_nat_t"), Ok(4500_u16));
        assert_eq!(configured.float("retransmit_base"), Ok(1.8));
        assert_eq!(configured.time("half_open_timeout"), Ok(Duration::from_secs(60)));
        assert_eq!(configured.time("keep_alive"), Ok(Duration::from_secs(20)));
        assert_eq!(configured.bool("dos_protection"), Ok(true));
        assert_eq!(configured.bytes("max_packet"), Ok(10_000));
    }

    #[test]
    fn a_value_of_another_type_is_an_error_and_not_the_default() {
        let settings = Settings::parse("s.conf", b"charond { port = ike\n retransmit_tries = -1 }")
            .expect("the test writes valid settings");
        let configured = Configured::new(&settings, Program::Daemon);
        let error = configured.int::<u16>("port").expect_err("no number");
        assert_eq!(error.to_string(), "s.conf:1: charond.port: 'ike' is not an integer");
        assert_eq!(configured.choice("filelog.f.time_precision"), Ok(None));
        assert!(configured.int::<u32>("retransmit_tries").is_err(), "below what the table allows");
    }
}
