//! How much of each group a logger takes.

use charon_conf::ValueError;
use charon_conf::options::Configured;
use charon_types::event::LogGroup;

/// Level of each group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Levels([i8; LogGroup::ALL.len()]);

impl Levels {
    /// The same level for every group.
    #[must_use]
    pub const fn all(level: i8) -> Self {
        Self([level; LogGroup::ALL.len()])
    }

    /// Sets one group.
    pub fn set(&mut self, group: LogGroup, level: i8) {
        self.0[group as usize] = level;
    }

    /// Level of a group.
    #[must_use]
    pub fn get(&self, group: LogGroup) -> i8 {
        self.0[group as usize]
    }

    /// Reads `default` and the groups' keys of a logger, such as `journal` or `filelog.NAME`.
    ///
    /// # Errors
    /// If a value set is no level.
    pub fn of_logger(settings: &Configured<'_>, logger: &str) -> Result<Self, ValueError> {
        let mut levels = Self::all(settings.int(&format!("{logger}.default"))?);
        for &group in LogGroup::ALL {
            let key = format!("{logger}.{}", group.name().to_ascii_lowercase());
            if let Some(level) = settings.int_if_set(&key)? {
                levels.set(group, level);
            }
        }
        Ok(levels)
    }
}
