//! One stage of loading: what a top-level section of swanctl.conf holds replaces what the daemon holds of it.

use std::collections::{HashSet, VecDeque};

use charon_conf::{Location, View};
use vici::Message;

use crate::config::Config;
use crate::convert::{self, Converter, Form, Inner};
use crate::failure::{Failure, Outcome, Status};
use crate::progress::Progress;
use crate::session::Session;

/// What is loaded, and with which commands.
pub(crate) struct Stage {
    /// One of them.
    pub(crate) noun: &'static str,
    /// Many of them; also the name of the section.
    pub(crate) plural: &'static str,
    pub(crate) get: &'static str,
    pub(crate) load: &'static str,
    pub(crate) unload: &'static str,
    /// How the value of a key is sent.
    pub(crate) form: fn(&str) -> Form,
    /// What becomes of sections within.
    pub(crate) inner: Inner,
    /// The names in the reply of `get`.
    pub(crate) names: fn(&Message) -> Vec<String>,
}

/// As [`run`], but says nothing if the file has no section and the daemon has loaded nothing, or knows nothing of this kind.
pub(crate) fn run_if_any(session: &mut Session<'_>, config: &Config, stage: &Stage) -> Outcome {
    let section = config.settings.section(stage.plural);
    if section.is_none_or(|view| view.sections().next().is_none()) {
        match session.ask(stage.get, &Message::new())? {
            None => return Ok(Status::SUCCESS),
            Some(reply) if (stage.names)(&reply).is_empty() => return Ok(Status::SUCCESS),
            Some(_) => {}
        }
    }
    run(session, config, stage)
}

/// Loads all sections, then unloads what the file no longer has.
pub(crate) fn run(session: &mut Session<'_>, config: &Config, stage: &Stage) -> Outcome {
    let section = config.settings.section(stage.plural);
    let sections: Vec<_> = section.iter().flat_map(View::sections).collect();
    let Some(reply) = session.request_known(stage.get, &Message::new())? else {
        return without(session, stage, &sections);
    };
    let kept: HashSet<&str> = sections.iter().map(View::name).collect();
    let mut loading = Loading {
        stage,
        converter: Converter::new(stage.form, stage.inner, &config.directory),
        message: Message::new(),
        begun: VecDeque::with_capacity(AHEAD_MAX),
        progress: Progress::new(session.audience, stage.plural, sections.len()),
        done: 0,
        loaded: 0,
    };
    for view in &sections {
        loading.begin(session, view)?;
        if loading.begun.len() == AHEAD_MAX {
            // The daemon works on the rest meanwhile.
            loading.finish(session, AHEAD_MAX / 2)?;
        }
    }
    loading.finish(session, 0)?;
    let Loading { mut progress, loaded, .. } = loading;
    progress.erase(session.err)?;
    let mut unloaded = 0;
    for name in (stage.names)(&reply).iter().filter(|name| !kept.contains(name.as_str())) {
        match session.attempt(stage.unload, &Message::new().with("name", name))? {
            Ok(_) => unloaded += 1,
            Err(reason) => {
                session.complain(&format!("unloading {} '{name}' failed: {reason}", stage.noun))?
            }
        }
    }
    conclude(session, stage, sections.len(), loaded, unloaded)
}

/// Requests under way at a time: two context switches each are not worth waiting for.
const AHEAD_MAX: usize = 64;

/// Sections on their way to the daemon. What is said of them is said in their order.
struct Loading<'v, 'a> {
    stage: &'v Stage,
    converter: Converter<'v>,
    /// The last one sent; its memory serves the next.
    message: Message,
    /// Those sent, and those that could not be, with the reason.
    begun: VecDeque<(&'v View<'a>, Result<(), String>)>,
    progress: Progress,
    done: usize,
    loaded: usize,
}

impl<'v, 'a> Loading<'v, 'a> {
    fn begin(&mut self, session: &mut Session<'_>, view: &'v View<'a>) -> Result<(), Failure> {
        let sent = match self.convert(view) {
            Ok(()) => session.attempt_ahead(self.stage.load, &self.message)?,
            Err(reason) => Err(reason),
        };
        self.begun.push_back((view, sent));
        Ok(())
    }

    /// Makes the message of a section.
    fn convert(&mut self, view: &View<'_>) -> Result<(), String> {
        convert::name(view.name())?;
        let mut converted = Ok(());
        self.message.clear();
        self.message.nest(view.name(), |section| converted = self.converter.section(view, section));
        converted.map_err(|fault| fault.to_string())
    }

    /// Hears how they ended, until so many are left.
    fn finish(&mut self, session: &mut Session<'_>, left: usize) -> Result<(), Failure> {
        let Stage { noun, load, .. } = self.stage;
        while self.begun.len() > left
            && let Some((view, sent)) = self.begun.pop_front()
        {
            let ended = match sent {
                Ok(()) => session.attempted(load)?.map(drop),
                Err(reason) => Err(reason),
            };
            let name = view.name();
            match ended {
                Ok(()) => {
                    self.loaded += 1;
                    session.tell(format_args!("loaded {noun} '{name}'"))?;
                }
                Err(reason) => {
                    self.progress.erase(session.err)?;
                    session.complain(&format!("loading {noun} '{name}' failed: {reason}"))?;
                    if let Some((place, path)) = blamed(view, &reason) {
                        session.complain(&format!("{place}: {path}"))?;
                    }
                }
            }
            self.done += 1;
            self.progress.step(self.done, session.out, session.err)?;
        }
        Ok(())
    }
}

fn conclude(
    session: &mut Session<'_>,
    stage: &Stage,
    found: usize,
    loaded: usize,
    unloaded: usize,
) -> Outcome {
    let Stage { plural, .. } = stage;
    if found == 0 {
        session.tell(format_args!("no {plural} found, {unloaded} unloaded"))?;
    } else if loaded == found {
        session.tell(format_args!("successfully loaded {loaded} {plural}, {unloaded} unloaded"))?;
    } else {
        let failed = found - loaded;
        session.complain(&format!(
            "loaded {loaded} of {found} {plural}, {failed} failed to load, {unloaded} unloaded"
        ))?;
        return Ok(Status::INVALID);
    }
    Ok(Status::SUCCESS)
}

/// A daemon that knows nothing of this kind: fine while the file has none.
fn without(session: &mut Session<'_>, stage: &Stage, sections: &[View<'_>]) -> Outcome {
    let Stage { noun, plural, .. } = stage;
    for view in sections {
        let place = view.location().map(|place| format!("{place}: ")).unwrap_or_default();
        let name = view.name();
        session.complain(&format!("loading {noun} '{name}' failed: the daemon does not support {plural}"))?;
        session.complain(&format!("{place}{plural}.{name}"))?;
    }
    conclude(session, stage, sections.len(), 0, 0)
}

/// The place in the file of what the daemon complains about: a key if it names one, else the section.
fn blamed(view: &View<'_>, reason: &str) -> Option<(Location, String)> {
    let key = ["unknown option: ", "invalid value for: "]
        .into_iter()
        .find_map(|start| reason.strip_prefix(start))
        .and_then(|rest| rest.split(", ").next());
    match key.and_then(|key| find(view, key, 4)) {
        Some(found) => Some(found),
        // What could not be sent names its place itself.
        None if reason.starts_with(&view.location()?.file().display().to_string()) => None,
        None => Some((view.location()?, view.path())),
    }
}

fn find(view: &View<'_>, key: &str, depth: usize) -> Option<(Location, String)> {
    if let Some(value) = view.value(key) {
        return Some((value.location(), format!("{}.{key}", view.path())));
    }
    let deeper = depth.checked_sub(1)?;
    view.sections().find_map(|inner| find(&inner, key, deeper))
}
