//! `pid`: a file with the process id, for as long as rVRRPd's file names it.

use std::io;
use std::path::{Path, PathBuf};

use tracing::warn;

/// The file; it goes with this.
pub(crate) struct ProcessFile {
    path: PathBuf,
    text: String,
}

impl ProcessFile {
    /// Writes it.
    pub(crate) fn write(path: &Path) -> io::Result<Self> {
        let text = format!("{}\n", std::process::id());
        std::fs::write(path, &text)?;
        Ok(Self { path: path.to_owned(), text })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for ProcessFile {
    fn drop(&mut self) {
        // Somebody else's stays.
        if std::fs::read_to_string(&self.path).is_ok_and(|text| text == self.text)
            && let Err(error) = std::fs::remove_file(&self.path)
        {
            warn!(target: "CFG", "{} cannot be removed: {error}", self.path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_has_our_process_id_and_goes_unless_it_became_another_s() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pid");
        let file = ProcessFile::write(&path).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap().trim(), std::process::id().to_string());
        drop(file);
        assert!(!path.exists());
        let file = ProcessFile::write(&path).unwrap();
        std::fs::write(&path, "1\n").unwrap();
        drop(file);
        assert!(path.exists());
        assert!(ProcessFile::write(&directory.path().join("no/such/place")).is_err());
    }
}
