//! Blobs as plain files: `{folder}/{account}/{container}/{name}`.
//!
//! What HTTP says of a blob beside its bytes is in `{folder}/.properties`, and what is being written in `{folder}/.incoming`,
//! so that a container's folder holds blobs and nothing else. Reads and writes exclude each other, so that a condition is
//! looked at and acted upon in one step, and a reader never sees half of a write.

mod names;
mod record;

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use uuid::Uuid;

use super::errors::Refusal;
use super::properties::Properties;
pub(super) use record::Found;
use record::Record;

/// The files of all accounts.
#[derive(Debug)]
pub(super) struct Disk {
    folder: PathBuf,
    turns: RwLock<()>,
}

/// Which blob.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) account: String,
    pub(super) container: String,
    pub(super) blob: String,
}

/// Why nothing was done.
#[derive(Debug)]
pub(super) enum Failure {
    /// The operation is not allowed as things stand.
    Refused(Refusal),
    /// The file system failed.
    Io(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl Disk {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder, turns: RwLock::default() }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder of a container's blobs.
    pub(super) fn container(&self, account: &str, container: &str) -> PathBuf {
        self.folder.join(account).join(container)
    }

    /// Makes a container's folder if it is not there.
    pub(super) fn create_container(&self, account: &str, container: &str) -> io::Result<()> {
        let _turn = self.turns.write().unwrap_or_else(PoisonError::into_inner);
        fs::create_dir_all(self.container(account, container))
    }

    /// Deletes a container with all its blobs.
    pub(super) fn delete_container(&self, account: &str, container: &str) -> io::Result<()> {
        let _turn = self.turns.write().unwrap_or_else(PoisonError::into_inner);
        fs::remove_dir_all(self.container(account, container))?;
        match fs::remove_dir_all(self.records(account, container)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Deletes all containers of an account, with their blobs.
    pub(super) fn delete_account(&self, account: &str) -> io::Result<()> {
        let _turn = self.turns.write().unwrap_or_else(PoisonError::into_inner);
        // Of no container are the records those of all of the account's.
        for folder in [self.folder.join(account), self.records(account, "")] {
            match fs::remove_dir_all(folder) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// The names of all blobs of a container, sorted as Storage does, by their bytes.
    pub(super) fn names(&self, account: &str, container: &str) -> io::Result<Vec<String>> {
        let _turn = self.turns.read().unwrap_or_else(PoisonError::into_inner);
        let mut names = Vec::new();
        collect(&self.container(account, container), &mut Vec::new(), &mut names)?;
        names.sort_unstable();
        Ok(names)
    }

    /// Looks at a blob.
    pub(super) fn find(&self, place: &Place) -> io::Result<Option<Found>> {
        let _turn = self.turns.read().unwrap_or_else(PoisonError::into_inner);
        self.look(place)
    }

    /// Reads a blob whole if `check` takes it.
    pub(super) fn read(
        &self,
        place: &Place,
        check: impl FnOnce(&Found) -> Result<(), Refusal>,
    ) -> Result<(Found, Vec<u8>), Failure> {
        let _turn = self.turns.read().unwrap_or_else(PoisonError::into_inner);
        let found = self.look(place)?.ok_or_else(Refusal::blob_not_found)?;
        check(&found)?;
        let mut bytes = Vec::new();
        File::open(self.file(place))?.read_to_end(&mut bytes)?;
        Ok((found, bytes))
    }

    /// Writes a blob if `check` takes what is there now.
    pub(super) fn write(
        &self,
        place: &Place,
        bytes: &[u8],
        properties: Properties,
        check: impl FnOnce(Option<&Found>) -> Result<(), Refusal>,
    ) -> Result<Found, Failure> {
        let incoming = self.folder.join(".incoming");
        fs::create_dir_all(&incoming)?;
        let file = tempfile::NamedTempFile::new_in(&incoming)?;
        fs::write(file.path(), bytes)?;
        let (length, modified) = size_and_time(&file.as_file().metadata()?)?;

        let _turn = self.turns.write().unwrap_or_else(PoisonError::into_inner);
        let present = self.look(place)?;
        check(present.as_ref())?;
        let created = present.map_or(modified, |present| present.created);
        let record = Record { properties, write: Uuid::new_v4(), created, length, modified };
        let target = self.file(place);
        let parent = target.parent().unwrap_or(&target);
        fs::create_dir_all(parent).map_err(as_name)?;
        if target.is_dir() {
            return Err(in_the_way().into());
        }
        file.persist(&target).map_err(|error| as_name(error.error))?;
        let beside = self.record(place);
        fs::create_dir_all(beside.parent().unwrap_or(&beside))?;
        fs::write(beside, serde_json::to_vec(&record).map_err(io::Error::from)?)?;
        Ok(record.found())
    }

    /// Deletes a blob if `check` takes it.
    pub(super) fn delete(
        &self,
        place: &Place,
        check: impl FnOnce(&Found) -> Result<(), Refusal>,
    ) -> Result<(), Failure> {
        let _turn = self.turns.write().unwrap_or_else(PoisonError::into_inner);
        let found = self.look(place)?.ok_or_else(Refusal::blob_not_found)?;
        check(&found)?;
        let file = self.file(place);
        fs::remove_file(&file)?;
        drop(fs::remove_file(self.record(place)));
        // A folder is nothing to Storage: one without blobs must be in nobody's way.
        let container = self.container(&place.account, &place.container);
        let above = file.ancestors().skip(1).take_while(|folder| *folder != container);
        for folder in above {
            if fs::remove_dir(folder).is_err() {
                break;
            }
        }
        Ok(())
    }

    fn look(&self, place: &Place) -> io::Result<Option<Found>> {
        // A container that is known and has no folder has been lost: that its blobs are not there would be a lie.
        let container = self.container(&place.account, &place.container);
        let check_container = || match fs::metadata(&container)?.is_dir() {
            true => Ok(()),
            false => Err(io::Error::from(ErrorKind::NotADirectory)),
        };
        check_container()?;
        let metadata = match fs::metadata(self.file(place)) {
            Ok(metadata) if metadata.is_file() => metadata,
            Ok(_) => return Ok(None),
            // It may have been lost since.
            Err(error) if is_absence(error.kind()) => return check_container().map(|()| None),
            Err(error) => return Err(error),
        };
        let (length, modified) = size_and_time(&metadata)?;
        let record = match fs::read(self.record(place)) {
            Ok(json) => serde_json::from_slice::<Record>(&json).ok(),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let own = record.filter(|record| (record.length, record.modified) == (length, modified));
        Ok(Some(own.unwrap_or_else(|| Record::of_file(length, modified)).found()))
    }

    fn file(&self, place: &Place) -> PathBuf {
        let mut file = self.container(&place.account, &place.container);
        file.extend(names::to_file(&place.blob));
        file
    }

    fn records(&self, account: &str, container: &str) -> PathBuf {
        self.folder.join(".properties").join(account).join(container)
    }

    /// Flat, by the hash of the name: a name may hold anything.
    fn record(&self, place: &Place) -> PathBuf {
        let hash: String =
            Sha256::digest(&place.blob).iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        self.records(&place.account, &place.container).join(format!("{hash}.json"))
    }
}

fn collect(folder: &Path, above: &mut Vec<String>, names: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        // What is no UTF-8 was not written here, and no URL can name it.
        let Ok(part) = entry.file_name().into_string() else { continue };
        above.push(names::from_file(&part));
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), above, names)?;
        } else {
            names.push(above.join("/"));
        }
        above.pop();
    }
    Ok(())
}

fn size_and_time(metadata: &fs::Metadata) -> io::Result<(u64, OffsetDateTime)> {
    Ok((metadata.len(), metadata.modified()?.into()))
}

fn is_absence(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::InvalidFilename)
}

/// A name that cannot be that of a file.
fn as_name(error: io::Error) -> Failure {
    match error.kind() {
        ErrorKind::InvalidFilename => Refusal::invalid_resource_name().into(),
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists | ErrorKind::IsADirectory => in_the_way().into(),
        _ => error.into(),
    }
}

/// Storage takes `a` beside `a/b`; a file system does not, and neither does an account with a hierarchical namespace.
fn in_the_way() -> Refusal {
    use axum::http::StatusCode;
    let text = "The specified resource type doesn't match: a blob's name is the beginning of another's path, \
                which files cannot have.";
    Refusal::new(StatusCode::CONFLICT, "ResourceTypeMismatch", text)
}
