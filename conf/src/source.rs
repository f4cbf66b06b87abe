//! Where files come from: the file system, or memory for tests.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::glob;

/// Longest file read, in bytes. More is a device or a mistake.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// Reads files and finds those that an include names.
pub trait Source {
    /// The content of a file.
    ///
    /// # Errors
    /// What kept the file from being read.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// The files (not directories) that match a shell pattern, sorted by name. None is not an error.
    ///
    /// # Errors
    /// What kept a directory from being listed, other than that it does not exist.
    fn matches(&self, pattern: &Path) -> io::Result<Vec<PathBuf>>;
}

/// The files of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct FileSystem;

impl Source for FileSystem {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let file = File::open(path)?;
        // A buffer that grows leaves what it held where it was.
        let expected = usize::try_from(file.metadata()?.len().min(FILE_BYTES_MAX)).unwrap_or_default();
        let mut text = Vec::with_capacity(expected);
        file.take(FILE_BYTES_MAX + 1).read_to_end(&mut text)?;
        if u64::try_from(text.len()).is_ok_and(|read| read > FILE_BYTES_MAX) {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "file is larger than 64 MiB"));
        }
        Ok(text)
    }

    fn matches(&self, pattern: &Path) -> io::Result<Vec<PathBuf>> {
        let mut found = vec![PathBuf::new()];
        for part in pattern.components() {
            let part = Path::new(part.as_os_str());
            if !glob::is_pattern(part) {
                for path in &mut found {
                    path.push(part);
                }
                continue;
            }
            let mut next = Vec::new();
            for directory in &found {
                let listed = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
                let entries = match fs::read_dir(listed) {
                    Ok(entries) => entries,
                    Err(error) if is_absent(&error) => continue,
                    Err(error) => return Err(error),
                };
                for entry in entries {
                    let name = entry?.file_name();
                    if glob::matches(part, Path::new(&name)) {
                        next.push(directory.join(name));
                    }
                }
            }
            found = next;
        }
        found.retain(|path| path.exists() && !path.is_dir());
        found.sort();
        Ok(found)
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Files that exist only in memory.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    files: BTreeMap<PathBuf, Vec<u8>>,
}

impl Memory {
    /// A source with these files.
    pub fn new<P: Into<PathBuf>, T: Into<Vec<u8>>>(files: impl IntoIterator<Item = (P, T)>) -> Self {
        Self { files: files.into_iter().map(|(path, text)| (path.into(), text.into())).collect() }
    }
}

impl Source for Memory {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.files.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn matches(&self, pattern: &Path) -> io::Result<Vec<PathBuf>> {
        let wanted: Vec<_> = pattern.components().collect();
        let fits = |path: &Path| {
            let parts: Vec<_> = path.components().collect();
            parts.len() == wanted.len()
                && wanted.iter().zip(&parts).all(|(wanted, part)| {
                    glob::matches(Path::new(wanted.as_os_str()), Path::new(part.as_os_str()))
                })
        };
        Ok(self.files.keys().filter(|path| fits(path)).cloned().collect())
    }
}
