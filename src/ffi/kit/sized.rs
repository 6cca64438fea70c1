//! Structs that begin with their size, and so may grow at their end.

use super::failure::Failure;
use super::output::Plain;
use std::mem::size_of;

/// A struct of options.
///
/// # Safety
///
/// It is `repr(C)`, and its first member is `struct_size: usize`. It has no padding at its end, or a member that is added
/// there would be read from a caller who never set it.
pub unsafe trait StructSize: Plain {
    /// Its size in the first version that had it, which never changes: `size_up_to!` the last member of that version, whatever is
    /// added behind it.
    const FIRST_SIZE: usize;
}

/// The size of a struct up to and with a member.
macro_rules! size_up_to {
    ($of:ident.$last:ident) => {
        std::mem::offset_of!($of, $last) + $crate::ffi::kit::sized::size_of_member(|all: &$of| &all.$last)
    };
}

/// The size of the member that is chosen.
pub const fn size_of_member<T, M>(_: fn(&T) -> &M) -> usize {
    size_of::<M>()
}

/// Options within `call!`: NULL is all defaults.
macro_rules! options {
    ($options:ident) => {
        // SAFETY: by the conventions of the header options are NULL, or as long as their `struct_size` says.
        unsafe { $crate::ffi::kit::sized::read($options, stringify!($options)) }?
    };
}

/// Whether a `struct_size` is one of some version.
pub fn is_size<T: StructSize>(size: usize) -> bool {
    (T::FIRST_SIZE..=1 << 16).contains(&size)
}

/// # Safety
///
/// The pointer is NULL, or leads to a `usize`, which says how many bytes there are to read from it on.
pub unsafe fn read<T: StructSize>(from: *const T, called: &str) -> Result<T, Failure> {
    // SAFETY: zero is a value of a `Plain`.
    let mut options: T = unsafe { std::mem::zeroed() };
    if from.is_null() {
        return Ok(options);
    }
    // SAFETY: the condition above.
    let size = unsafe { from.cast::<usize>().read() };
    if size < T::FIRST_SIZE {
        return Err(Failure::misuse(called, "has a struct_size that is too small: begin with its _INIT"));
    }
    if !is_size::<T>(size) {
        return Err(Failure::misuse(called, "has a struct_size that is no size: begin with its _INIT"));
    }
    let known = size.min(size_of::<T>());
    // SAFETY: as many bytes may be read, and every byte of the options may be written to.
    unsafe { std::ptr::copy_nonoverlapping(from.cast::<u8>(), (&raw mut options).cast::<u8>(), known) };
    // SAFETY: as many bytes may be read, by the condition above.
    let further = unsafe { std::slice::from_raw_parts(from.cast::<u8>().add(known), size - known) };
    if further.iter().any(|byte| *byte != 0) {
        return Err(Failure::misuse(called, "has members set that this version of the library does not know"));
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[repr(C)]
    #[derive(Clone, Copy)]
    struct Two {
        struct_size: usize,
        first: u64,
        second: u64,
    }
    // SAFETY: all are numbers.
    unsafe impl Plain for Two {}
    // SAFETY: as it is written above.
    unsafe impl StructSize for Two {
        const FIRST_SIZE: usize = size_up_to!(Two.first);
    }

    fn of(members: [u64; 4]) -> Result<Two, Failure> {
        // SAFETY: there are as many bytes as any `struct_size` below says, and none is read of one that is wrong.
        unsafe { read(members.as_ptr().cast::<Two>(), "options") }
    }

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn a_struct_of_any_version_is_read_as_far_as_both_know_it() {
        assert_eq!(of([16, 7, 8, 9]).map(|two| (two.first, two.second)).unwrap(), (7, 0));
        assert_eq!(of([24, 7, 8, 9]).map(|two| (two.first, two.second)).unwrap(), (7, 8));
        assert_eq!(of([32, 7, 8, 0]).map(|two| (two.first, two.second)).unwrap(), (7, 8));
        assert!(of([32, 7, 8, 9]).is_err());
        assert!(of([8, 7, 8, 9]).is_err() && of([u64::MAX, 7, 8, 9]).is_err());
    }

    #[test]
    fn a_member_that_is_added_leaves_the_first_size_as_it_is() {
        assert_eq!((Two::FIRST_SIZE, size_of::<Two>()), (size_up_to!(Two.first), size_up_to!(Two.second)));
    }
}
