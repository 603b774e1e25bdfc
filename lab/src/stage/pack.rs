//! Packing: a staged folder becomes the one file that is uploaded, with the same bytes wherever and whenever it is made.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, System, ZipWriter};

use super::{EXECUTABLE, HOST_JSON, PACKAGE, Staged, at};

/// A package, with what a release says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// The file.
    pub path: PathBuf,
    /// SHA-256 of it, in lower-case hexadecimal digits.
    pub sha256: String,
    /// Its size in bytes.
    pub size: u64,
    /// What is in it, in its order.
    pub entries: Vec<Entry>,
}

/// A file in a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// From the script root, with `/`.
    pub name: String,
    /// Its permissions: 0755 for the executable, 0644 for all others.
    pub mode: u32,
    /// Its size in bytes before compression.
    pub size: u64,
}

/// Writes [`PACKAGE`] into the folder `out`, which must be there: the executable, `host.json` and the functions of `staged`,
/// and nothing else that may lie there, such as a `local.settings.json`.
///
/// # Errors
/// A file cannot be read or written. The message names the path.
pub fn pack(staged: &Staged, out: &Path) -> io::Result<Package> {
    let mut names = vec![EXECUTABLE.to_owned(), HOST_JSON.to_owned()];
    names.extend(staged.functions.iter().map(|function| format!("{function}/function.json")));
    names.sort();
    let mut writer = ZipWriter::new(io::Cursor::new(Vec::new()));
    let mut entries = Vec::with_capacity(names.len());
    for name in names {
        let path = staged.root.join(&name);
        let bytes = fs::read(&path).map_err(|error| at(&path, error))?;
        let mode = if name == EXECUTABLE { 0o755 } else { 0o644 };
        let added = writer.start_file(name.as_str(), options(mode)).map_err(io::Error::from);
        added.and_then(|()| writer.write_all(&bytes)).map_err(|error| at(&path, error))?;
        entries.push(Entry { name, mode, size: bytes.len() as u64 });
    }
    let path = out.join(PACKAGE);
    let bytes = writer.finish().map_err(|error| at(&path, error.into()))?.into_inner();
    fs::write(&path, &bytes).map_err(|error| at(&path, error))?;
    let sha256 = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Package { path, sha256, size: bytes.len() as u64, entries })
}

/// All that a zip says of a file besides its name and bytes; nothing of it is taken from the machine.
fn options(mode: u32) -> SimpleFileOptions {
    SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(9))
        .last_modified_time(DateTime::default())
        .system(System::Unix)
        .unix_permissions(mode)
}
