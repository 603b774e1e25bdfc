//! Unpacking: a package as it is uploaded becomes the folder that the Functions host starts in.
//!
//! Azure mounts the file as the script root; names, bytes and modes are those of the package, and nothing is put right here.
//! <https://learn.microsoft.com/azure/azure-functions/flex-consumption-plan>

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};

use zip::ZipArchive;
use zip::result::ZipError;

use super::{EXECUTABLE, HOST_JSON, Role, Staged, at, clear, set_mode};

/// Unpacks `package` into `out`, which is cleared as for [`stage`](super::stage). The role is that of its functions.
///
/// # Errors
/// The file is no zip, holds a link or a name that leads out of the folder, lacks `host.json` or the executable at its top,
/// or its functions are of no role; or `out` cannot be filled. The message names the path.
pub fn unpack(package: &Path, out: &Path) -> io::Result<Staged> {
    let file = fs::File::open(package).map_err(|error| at(package, error))?;
    let mut archive = ZipArchive::new(file).map_err(|error| refused(package, &error))?;
    clear(out)?;
    let mut top = BTreeSet::new();
    let mut functions = Vec::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(|error| refused(package, &error))?;
        let name = entry.name().map_err(|error| refused(package, &error))?.into_owned();
        let name = PathBuf::from(name);
        if entry.is_symlink() || !is_inside(&name) {
            let what = format!("`{}` is a link, or leads out of the folder", name.display());
            return Err(broken(package, &what));
        }
        let mode = entry.unix_mode();
        if entry.is_dir() {
            create(&out.join(&name))?;
            continue;
        }
        write_entry(&mut entry, mode, &out.join(&name))?;
        if name.components().count() == 1 {
            top.insert(name);
        } else if name.ends_with("function.json")
            && let Some(function) = function_of(&name)
        {
            functions.push(function);
        }
    }
    for needed in [HOST_JSON, EXECUTABLE] {
        if !top.contains(Path::new(needed)) {
            return Err(broken(
                package,
                &format!("has no `{needed}` at its top: zip what is in the folder, not the folder"),
            ));
        }
    }
    functions.sort();
    let role = Role::of_functions(&functions).ok_or_else(|| {
        broken(package, &format!("holds the functions of no role: {}", functions.join(", ")))
    })?;
    Ok(Staged { root: out.to_owned(), role, functions })
}

/// Whether a file of that name lies under the folder, on every system: the names of a zip are separated by `/` alone.
fn is_inside(name: &Path) -> bool {
    let is_plain =
        |part| matches!(part, Component::Normal(part) if !part.as_encoded_bytes().contains(&b'\\'));
    name.components().all(is_plain)
}

/// `Health` for `Health/function.json`.
fn function_of(name: &Path) -> Option<String> {
    let folder = name.parent().filter(|folder| folder.components().count() == 1)?;
    folder.to_str().map(str::to_owned)
}

fn write_entry(entry: &mut impl Read, mode: Option<u32>, path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        create(folder)?;
    }
    // Without a mode the package was made on Windows: then it is that of a plain file, as for any other.
    let mode = mode.map_or(0o644, |mode| mode & 0o777);
    let written = if mode & 0o111 == 0 { write_plain(entry, path) } else { write_executable(entry, path) };
    written.map_err(|error| at(path, error))?;
    set_mode(path, mode)
}

fn write_plain(entry: &mut impl Read, path: &Path) -> io::Result<()> {
    io::copy(entry, &mut fs::File::create(path)?).map(drop)
}

/// Has the file written by a process that is gone afterwards: one that this process had open for writing may still be open
/// in a child that another thread has just forked, and then cannot be executed. <https://github.com/golang/go/issues/22315>
#[cfg(unix)]
fn write_executable(entry: &mut impl Read, path: &Path) -> io::Result<()> {
    let mut writer =
        Command::new("sh").args(["-c", "cat >\"$0\""]).arg(path).stdin(Stdio::piped()).spawn()?;
    let copied = match writer.stdin.take() {
        Some(mut stdin) => io::copy(entry, &mut stdin).map(drop),
        None => Ok(()),
    };
    let status = writer.wait()?;
    copied?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("cannot be written: {status}"))) }
}

#[cfg(not(unix))]
fn write_executable(entry: &mut impl Read, path: &Path) -> io::Result<()> {
    write_plain(entry, path)
}

fn create(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder).map_err(|error| at(folder, error))
}

fn broken(package: &Path, reason: &str) -> io::Error {
    at(package, io::Error::new(io::ErrorKind::InvalidData, reason))
}

fn refused(package: &Path, error: &ZipError) -> io::Error {
    broken(package, &error.to_string())
}
