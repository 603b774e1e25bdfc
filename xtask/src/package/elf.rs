//! Whether an executable will start on Azure's machines, read from the file itself.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::Path;

use object::elf::{DT_NEEDED, EM_X86_64, ET_DYN, ET_EXEC, FileHeader64};
use object::read::elf::{FileHeader as _, SectionHeader as _};
use object::{LittleEndian, elf};

use crate::Result;

/// The newest glibc that the handler may ask for. Which one a Flex Consumption instance has is not documented; the oldest
/// among the images of Azure Functions, Debian 11, has 2.31. <https://github.com/Azure/azure-functions-docker>
pub(super) const NEWEST_GLIBC: (u32, u32) = (2, 31);

/// What belongs to glibc, and gcc's unwinder, which every image with a C++ program has.
const LIBRARIES: [&str; 7] = [
    "ld-linux-x86-64.so.2",
    "libc.so.6",
    "libdl.so.2",
    "libgcc_s.so.1",
    "libm.so.6",
    "libpthread.so.0",
    "librt.so.1",
];

/// What an executable needs of the machine that starts it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Needs {
    /// The newest version of glibc that a symbol asks for; none if it is static.
    glibc: Option<(u32, u32)>,
    /// Shared libraries, by name.
    libraries: BTreeSet<String>,
}

impl fmt::Display for Needs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((major, minor)) = self.glibc else {
            return f.write_str("x86-64 Linux, and no library");
        };
        let libraries: Vec<_> = self.libraries.iter().map(String::as_str).collect();
        write!(f, "x86-64 Linux, glibc {major}.{minor} or later ({})", libraries.join(", "))
    }
}

/// Reads what the executable needs.
///
/// # Errors
/// It is none for x86-64 Linux, has symbols left, or needs more than the platform has; or the file cannot be read. The
/// message names it and says which.
pub(super) fn inspect(executable: &Path) -> Result<Needs> {
    let fault = |what: &dyn fmt::Display| format!("{}: {what}", executable.display());
    let bytes = fs::read(executable).map_err(|error| fault(&error))?;
    let needs = read(&bytes).map_err(|error| fault(&error))?;
    judge(&needs).map_err(|error| fault(&error))?;
    Ok(needs)
}

fn read(bytes: &[u8]) -> Result<Needs> {
    let no_elf = |error: object::read::Error| format!("is no 64-bit ELF file: {error}");
    let header = FileHeader64::<LittleEndian>::parse(bytes).map_err(no_elf)?;
    let endian = header.endian().map_err(no_elf)?;
    if header.e_machine(endian) != EM_X86_64 || ![ET_EXEC, ET_DYN].contains(&header.e_type(endian)) {
        return Err("is no executable for x86-64 Linux".into());
    }
    let sections = header.sections(endian, bytes)?;
    if sections.iter().any(|section| section.sh_type(endian) == elf::SHT_SYMTAB) {
        return Err("has its symbols: build it in the release profile, which strips them".into());
    }
    let mut needs = Needs::default();
    let dynamic = sections.dynamic_table(endian, bytes)?;
    for entry in dynamic.iter().filter(|entry| entry.tag == DT_NEEDED) {
        needs.libraries.insert(String::from_utf8_lossy(dynamic.string(entry)?).into_owned());
    }
    if let Some((files, strings)) = sections.gnu_verneed(endian, bytes)? {
        let strings = sections.strings(endian, bytes, strings)?;
        for file in files {
            for version in file?.1 {
                let name = String::from_utf8_lossy(version?.name(endian, strings)?).into_owned();
                needs.glibc = needs.glibc.max(glibc(&name)?);
            }
        }
    }
    Ok(needs)
}

/// `(2, 31)` for `GLIBC_2.31`, nothing for another library's version.
fn glibc(name: &str) -> Result<Option<(u32, u32)>> {
    let Some(version) = name.strip_prefix("GLIBC_") else {
        return Ok(None);
    };
    // A mark rather than a version: relative relocations in their packed form, which glibc reads since 2.36.
    if version == "ABI_DT_RELR" {
        return Ok(Some((2, 36)));
    }
    let mut parts = version.split('.').map(str::parse);
    match (parts.next(), parts.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => Ok(Some((major, minor))),
        _ => Err(format!("asks for `{name}`, which is no version of glibc").into()),
    }
}

fn judge(needs: &Needs) -> Result<()> {
    if let Some((major, minor)) = needs.glibc.filter(|version| *version > NEWEST_GLIBC) {
        let (newest_major, newest_minor) = NEWEST_GLIBC;
        let asked =
            format!("asks for glibc {major}.{minor}, and may for {newest_major}.{newest_minor} at most");
        return Err(format!("{asked}: build it with `cargo xtask package`, without --handler").into());
    }
    match needs.libraries.iter().find(|library| !LIBRARIES.contains(&library.as_str())) {
        Some(library) => {
            Err(format!("asks for the library {library}, which the platform may not have").into())
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needs(glibc: Option<(u32, u32)>, libraries: &[&str]) -> Needs {
        Needs { glibc, libraries: libraries.iter().map(|&name| name.to_owned()).collect() }
    }

    #[test]
    fn versions_are_compared_as_numbers_and_marks_are_known() {
        assert_eq!(glibc("GLIBC_2.4").unwrap(), Some((2, 4)));
        assert_eq!(glibc("GLIBC_2.2.5").unwrap(), Some((2, 2)));
        assert_eq!(glibc("GLIBC_ABI_DT_RELR").unwrap(), Some((2, 36)));
        assert_eq!(glibc("GCC_3.0").unwrap(), None);
        assert!(glibc("GLIBC_PRIVATE").unwrap_err().to_string().contains("GLIBC_PRIVATE"));
    }

    #[test]
    fn what_the_platform_may_not_have_is_refused_by_name() {
        assert!(judge(&needs(None, &[])).is_ok());
        assert!(judge(&needs(Some((2, 31)), &["libc.so.6", "libgcc_s.so.1"])).is_ok());
        let newer = judge(&needs(Some((2, 32)), &["libc.so.6"])).unwrap_err().to_string();
        assert!(newer.contains("2.32") && newer.contains("2.31"), "{newer}");
        assert!(judge(&needs(Some((2, 9)), &["libc.so.6"])).is_ok(), "2.9 is before 2.31");
        let library = judge(&needs(Some((2, 31)), &["libc.so.6", "libssl.so.3"])).unwrap_err().to_string();
        assert!(library.contains("libssl.so.3"), "{library}");
    }

    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    #[test]
    fn executables_of_this_machine_are_read() {
        let text = read(b"#!/bin/sh\n").unwrap_err().to_string();
        assert!(text.contains("no 64-bit ELF"), "{text}");
        let shell = read(&fs::read("/bin/sh").unwrap()).unwrap();
        assert!(shell.glibc.is_none_or(|(major, _)| major == 2), "{shell}");
        // This test has its symbols.
        let unstripped = inspect(&std::env::current_exe().unwrap()).unwrap_err().to_string();
        assert!(unstripped.contains("symbols"), "{unstripped}");
    }
}
