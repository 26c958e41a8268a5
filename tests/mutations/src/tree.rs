//! A copy of the repository, which faults go into and out of.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::fault::Fault;

pub struct Tree {
    folder: PathBuf,
}

impl Tree {
    /// What git has or would take. A file that is there already stays as it is, and its time with it, so that cargo
    /// builds no more than has changed; one that holds a fault of an interrupted run does not.
    pub fn copy(root: &Path, folder: PathBuf) -> io::Result<Tree> {
        let files = files(root)?;
        for file in &files {
            let (bytes, to) = (fs::read(root.join(file))?, folder.join(file));
            if !fs::read(&to).is_ok_and(|there| there == bytes) {
                fs::create_dir_all(to.parent().unwrap_or(&folder))?;
                fs::write(&to, bytes)?;
            }
        }
        remove_others(&folder, Path::new(""), &files)?;
        Ok(Tree { folder })
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What comes of the tree with a fault, which is gone afterwards.
    pub fn with<T>(&self, fault: &Fault, run: impl FnOnce() -> T) -> Result<T, String> {
        let path = self.folder.join(&fault.file);
        let failed = |error: io::Error| format!("{}: {error}", fault.file);
        let text = fs::read_to_string(&path).map_err(failed)?;
        fs::write(&path, fault.applied_to(&text)?).map_err(failed)?;
        let result = run();
        fs::write(&path, text).map_err(failed)?;
        Ok(result)
    }
}

fn files(root: &Path) -> io::Result<HashSet<PathBuf>> {
    let listed = Command::new("git").current_dir(root).args(["ls-files", "-coz", "--exclude-standard"]).output()?;
    if !listed.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&listed.stderr).into_owned()));
    }
    let names = String::from_utf8_lossy(&listed.stdout).into_owned();
    // A file that was deleted and not committed is listed still.
    Ok(names.split_terminator('\0').map(PathBuf::from).filter(|file| root.join(file).is_file()).collect())
}

/// Files that the repository has no more.
fn remove_others(folder: &Path, within: &Path, files: &HashSet<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder.join(within))? {
        let entry = entry?;
        let file = within.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            remove_others(folder, &file, files)?;
        } else if !files.contains(&file) {
            fs::remove_file(folder.join(file))?;
        }
    }
    Ok(())
}
