use std::io::{Cursor, Write};
use std::path::PathBuf;

use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

use super::*;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A handler of a few bytes, staged for `role` in a folder of its own.
fn staged(role: Role, folder: &Path) -> Staged {
    let executable = folder.join("built");
    fs::write(&executable, "#!/bin/sh\nexit 3\n").unwrap();
    stage(role, &repository(), &executable, &folder.join("staged")).unwrap()
}

/// A zip of these names, each with its name as bytes.
fn zipped(folder: &Path, names: &[&str]) -> PathBuf {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for name in names {
        writer.start_file(*name, SimpleFileOptions::default().unix_permissions(0o644)).unwrap();
        writer.write_all(name.as_bytes()).unwrap();
    }
    let path = folder.join("made.zip");
    fs::write(&path, writer.finish().unwrap().into_inner()).unwrap();
    path
}

#[test]
fn a_package_holds_what_is_deployed_sorted_and_nothing_else() {
    let temporary = tempfile::tempdir().unwrap();
    let staged = staged(Role::Provider, temporary.path());
    staged.write_local_settings(&Value::Null).unwrap();
    fs::write(staged.root.join(".DS_Store"), "").unwrap();
    let package = pack(&staged, temporary.path()).unwrap();

    let mut expected: Vec<_> =
        staged.functions.iter().map(|name| (format!("{name}/function.json"), 0o644)).collect();
    expected.extend([("handler".to_owned(), 0o755), ("host.json".to_owned(), 0o644)]);
    expected.sort();
    let said: Vec<_> = package.entries.iter().map(|entry| (entry.name.clone(), entry.mode)).collect();
    assert_eq!(said, expected);

    // What another reader of zips finds: the order of the directory, regular files, no time but the format's first.
    let bytes = fs::read(temporary.path().join(PACKAGE)).unwrap();
    assert_eq!(package.size, bytes.len() as u64);
    let mut archive = ZipArchive::new(Cursor::new(bytes)).unwrap();
    let found: Vec<_> = (0..archive.len())
        .map(|index| {
            let entry = archive.by_index(index).unwrap();
            assert_eq!(entry.last_modified().unwrap().to_string(), "1980-01-01 00:00:00");
            (entry.name().unwrap().into_owned(), entry.unix_mode().unwrap() & 0o777)
        })
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn the_same_contents_give_the_same_bytes_wherever_they_were_staged() {
    let made = || {
        let temporary = tempfile::tempdir().unwrap();
        let staged = staged(Role::Customer, temporary.path());
        // Neither a folder's own modes nor its times count.
        set_mode(&staged.root.join(HOST_JSON), 0o600).unwrap();
        let old = fs::File::options().append(true).open(staged.root.join(HOST_JSON)).unwrap();
        old.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(fastrand::u64(1..1 << 30)))
            .unwrap();
        let package = pack(&staged, temporary.path()).unwrap();
        (package.sha256, fs::read(package.path).unwrap())
    };
    let first = made();
    assert_eq!(first, made());
    assert_eq!(first.0.len(), 64);
}

#[test]
fn a_package_unpacks_to_the_folder_that_was_staged() {
    let temporary = tempfile::tempdir().unwrap();
    for role in Role::ALL {
        let folder = temporary.path().join(role.as_str());
        fs::create_dir(&folder).unwrap();
        let staged = staged(role, &folder);
        let package = pack(&staged, &folder).unwrap();
        let unpacked = unpack(&package.path, &folder.join("unpacked")).unwrap();
        assert_eq!((unpacked.role, &unpacked.functions), (role, &staged.functions));
        for Entry { name, mode, .. } in package.entries {
            let path = unpacked.root.join(&name);
            assert_eq!(fs::read(&path).unwrap(), fs::read(staged.root.join(&name)).unwrap(), "{name}");
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt;
                assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode, "{name}");
            }
        }
    }
}

#[test]
fn what_is_no_package_is_refused_with_the_reason() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path();
    let functions =
        ["SendDeploymentCommand/function.json", "ReadDeploymentCommandAndSendDeploymentStatus/function.json"];
    for (names, reason) in [
        (vec!["../escaped"], "`../escaped`"),
        (vec!["/absolute"], "`/absolute`"),
        (vec!["inside/../../escaped"], "`inside/../../escaped`"),
        (vec![r"..\escaped"], r"`..\escaped`"),
        (vec!["provider/handler", "provider/host.json"], "no `host.json` at its top"),
        (vec!["host.json", functions[0]], "no `handler` at its top"),
        (vec!["handler", "host.json"], "functions of no role"),
        (vec!["handler", "host.json", functions[0], functions[1]], "functions of no role"),
    ] {
        let error = unpack(&zipped(folder, &names), &folder.join("out")).unwrap_err().to_string();
        assert!(error.contains(reason) && error.contains("made.zip"), "{names:?}: {error}");
        fs::remove_dir_all(folder.join("out")).unwrap();
    }
    assert!(!folder.join("escaped").exists());

    fs::write(folder.join("text.zip"), "no zip").unwrap();
    let error = unpack(&folder.join("text.zip"), &folder.join("out")).unwrap_err().to_string();
    assert!(error.contains("text.zip"), "{error}");
}

#[test]
fn a_folder_with_a_package_can_be_staged_into_and_one_with_more_can_not() {
    let temporary = tempfile::tempdir().unwrap();
    let out = temporary.path().join("out");
    fs::create_dir(&out).unwrap();
    let staged = staged(Role::Customer, temporary.path());
    pack(&staged, &out).unwrap();
    clear(&out).unwrap();
    assert_eq!(fs::read_dir(&out).unwrap().count(), 0);

    pack(&staged, &out).unwrap();
    fs::write(out.join("notes.txt"), "mine").unwrap();
    assert_eq!(clear(&out).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
}
