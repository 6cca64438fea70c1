//! The disk as SQLite calls it.
//!
//! SQLite's side of the contract, which every `unsafe` here rests on: it passes the `sqlite3_vfs` that was registered,
//! and to the methods of a file one that `open` made and `close` has not ended; it uses one file from one thread at a
//! time; pointers to results and buffers are valid for what they are declared for.

#![allow(unsafe_code)]

use super::full_name;
use super::locks::{HandleId, Level, SLOTS};
use super::state::{Code, NodeId, Opening, State};
use parking_lot::Mutex;
use rusqlite::ffi;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The longest name of a file, in bytes.
const LONGEST_NAME: c_int = 1024;

/// What unix says of its disks.
const SECTOR: c_int = 4096;

/// A VFS that SQLite knows, until it is dropped.
pub(super) struct Registration {
    vfs: *mut ffi::sqlite3_vfs,
    name: CString,
    state: Arc<Mutex<State>>,
}

// SAFETY: `vfs` is a box of its own, which only SQLite writes to, under its own mutex; the rest is Send and Sync.
unsafe impl Send for Registration {}
// SAFETY: as above.
unsafe impl Sync for Registration {}

impl Registration {
    pub fn new(state: Arc<Mutex<State>>) -> Arc<Registration> {
        // Names are the process's, whatever disk they are for.
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("disk-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let name = CString::new(name).expect("no zero in it");
        let vfs = Box::into_raw(Box::new(ffi::sqlite3_vfs {
            iVersion: 2,
            szOsFile: size_of::<OpenFile>() as c_int,
            mxPathname: LONGEST_NAME,
            pNext: std::ptr::null_mut(),
            zName: name.as_ptr(),
            pAppData: std::ptr::null_mut(),
            xOpen: Some(open),
            xDelete: Some(delete),
            xAccess: Some(access),
            xFullPathname: Some(full_pathname),
            xDlOpen: Some(load_library),
            xDlError: Some(say_why_not_loaded),
            xDlSym: None,
            xDlClose: None,
            xRandomness: Some(randomness),
            xSleep: Some(sleep),
            xCurrentTime: Some(current_time),
            xGetLastError: Some(last_error),
            xCurrentTimeInt64: Some(current_time_int64),
            xSetSystemCall: None,
            xGetSystemCall: None,
            xNextSystemCall: None,
        }));
        let registration = Arc::new(Registration { vfs, name, state });
        // SAFETY: the box is ours alone until it is registered; it and the name stay until `drop` has unregistered it.
        // The pointer back is valid as long, since it is `self`.
        let code = unsafe {
            (*vfs).pAppData = Arc::as_ptr(&registration).cast_mut().cast();
            ffi::sqlite3_vfs_register(vfs, 0)
        };
        assert_eq!(code, ffi::SQLITE_OK, "SQLite takes any VFS");
        registration
    }

    pub fn name(&self) -> &str {
        self.name.to_str().expect("it is ASCII")
    }

    pub fn state(&self) -> &Mutex<State> {
        &self.state
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        // SAFETY: registered in `new`, and freed only here. No file is open, since each holds the registration. SQLite
        // keeps the pointer in connections that have no file, but those of this project have one until they are closed.
        unsafe {
            ffi::sqlite3_vfs_unregister(self.vfs);
            drop(Box::from_raw(self.vfs));
        }
    }
}

/// A file as SQLite allocates it: its methods first, then what is ours.
#[repr(C)]
struct OpenFile {
    base: ffi::sqlite3_file,
    handle: Handle,
}

struct Handle {
    /// Keeps the VFS until the file is closed.
    registration: Arc<Registration>,
    node: NodeId,
    id: HandleId,
    delete_on_close: Option<String>,
}

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    // 3 would add memory-mapped reading.
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

/// # Safety
/// `vfs` is a registered one.
unsafe fn registration<'a>(vfs: *mut ffi::sqlite3_vfs) -> &'a Registration {
    // SAFETY: `pAppData` is set before the VFS is registered, and valid until it is not.
    unsafe { &*(*vfs).pAppData.cast::<Registration>() }
}

/// # Safety
/// `file` was opened here and not closed since.
unsafe fn handle<'a>(file: *mut ffi::sqlite3_file) -> &'a Handle {
    // SAFETY: `open` made it an `OpenFile`; nothing has a mutable reference to it before `close`.
    unsafe { &(*file.cast::<OpenFile>()).handle }
}

/// # Safety
/// As for [`handle`].
unsafe fn with<T>(file: *mut ffi::sqlite3_file, work: impl FnOnce(&mut State, &Handle) -> T) -> T {
    // SAFETY: as the caller says.
    let handle = unsafe { handle(file) };
    work(&mut handle.registration.state.lock(), handle)
}

/// # Safety
/// `name` is null or a string that lasts for `'a`.
unsafe fn text<'a>(name: *const c_char) -> Result<Option<&'a str>, Code> {
    if name.is_null() {
        return Ok(None);
    }
    // SAFETY: as the caller says.
    unsafe { CStr::from_ptr(name) }.to_str().map(Some).map_err(|_| ffi::SQLITE_CANTOPEN)
}

fn code(result: Result<(), Code>) -> c_int {
    result.err().unwrap_or(ffi::SQLITE_OK)
}

fn unsigned(number: i64, or: Code) -> Result<u64, Code> {
    u64::try_from(number).map_err(|_| or)
}

unsafe extern "C" fn open(
    vfs: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: SQLite gives a VFS of ours, a name or null, and room for an `OpenFile`; without methods it will not close
    // it.
    let (registration, name) = unsafe {
        (*file).pMethods = std::ptr::null();
        let registration = (*vfs).pAppData.cast_const().cast::<Registration>();
        Arc::increment_strong_count(registration);
        (Arc::from_raw(registration), text(name))
    };
    let opened = name.and_then(|name| {
        let opening = Opening {
            name,
            create: flags & ffi::SQLITE_OPEN_CREATE != 0,
            exclusive: flags & ffi::SQLITE_OPEN_EXCLUSIVE != 0,
        };
        let (node, id) = registration.state.lock().open(&opening)?;
        let deleted = flags & ffi::SQLITE_OPEN_DELETEONCLOSE != 0;
        let delete_on_close = name.filter(|_| deleted).map(str::to_owned);
        Ok(Handle { registration: Arc::clone(&registration), node, id, delete_on_close })
    });
    match opened {
        Ok(handle) => {
            let base = ffi::sqlite3_file { pMethods: &raw const METHODS };
            // SAFETY: SQLite allocated `szOsFile` bytes, aligned for any struct; there is nothing in them to drop.
            unsafe {
                file.cast::<OpenFile>().write(OpenFile { base, handle });
                if !out_flags.is_null() {
                    *out_flags = flags;
                }
            }
            ffi::SQLITE_OK
        }
        Err(code) => code,
    }
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: an open file, which SQLite does not use again: it is moved out of SQLite's memory.
    let OpenFile { handle, .. } = unsafe {
        let opened = file.cast::<OpenFile>().read();
        (*file).pMethods = std::ptr::null();
        opened
    };
    let mut state = handle.registration.state.lock();
    state.close(handle.node, handle.id);
    if let Some(name) = &handle.delete_on_close
        && state.stopped.is_none()
    {
        state.remove(name);
    }
    drop(state);
    ffi::SQLITE_OK
}

unsafe extern "C" fn read(file: *mut ffi::sqlite3_file, buffer: *mut c_void, bytes: c_int, offset: i64) -> c_int {
    let bytes = usize::try_from(bytes).unwrap_or(0);
    // SAFETY: an open file, and a buffer of so many bytes that nobody else uses meanwhile. SQLite may not have
    // initialised it, and a slice must be.
    let (result, wanted) = unsafe {
        let buffer = buffer.cast::<u8>();
        buffer.write_bytes(0, bytes);
        let buffer = std::slice::from_raw_parts_mut(buffer, bytes);
        let read = |state: &mut State, handle: &Handle| {
            state.read(handle.node, unsigned(offset, ffi::SQLITE_IOERR_READ)?, buffer)
        };
        (with(file, read), bytes)
    };
    match result {
        Ok(read) if read < wanted => ffi::SQLITE_IOERR_SHORT_READ,
        Ok(_) => ffi::SQLITE_OK,
        Err(code) => code,
    }
}

unsafe extern "C" fn write(file: *mut ffi::sqlite3_file, data: *const c_void, bytes: c_int, offset: i64) -> c_int {
    let bytes = usize::try_from(bytes).unwrap_or(0);
    // SAFETY: an open file, and so many bytes to read that nobody changes meanwhile.
    code(unsafe {
        let data = std::slice::from_raw_parts(data.cast::<u8>(), bytes);
        with(file, |state, handle| state.write(handle.node, unsigned(offset, ffi::SQLITE_IOERR_WRITE)?, data))
    })
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, size: i64) -> c_int {
    // SAFETY: an open file.
    code(unsafe {
        with(file, |state, handle| state.truncate(handle.node, unsigned(size, ffi::SQLITE_IOERR_TRUNCATE)?))
    })
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, _flags: c_int) -> c_int {
    // SAFETY: an open file.
    code(unsafe { with(file, |state, handle| state.sync(handle.node)) })
}

unsafe extern "C" fn file_size(file: *mut ffi::sqlite3_file, size: *mut i64) -> c_int {
    // SAFETY: an open file, and a place for the result.
    code(unsafe { with(file, |state, handle| state.size(handle.node)).map(|found| *size = found as i64) })
}

fn level(number: c_int) -> Level {
    match number {
        ffi::SQLITE_LOCK_NONE => Level::None,
        ffi::SQLITE_LOCK_SHARED => Level::Shared,
        ffi::SQLITE_LOCK_RESERVED => Level::Reserved,
        ffi::SQLITE_LOCK_PENDING => Level::Pending,
        _ => Level::Exclusive,
    }
}

unsafe extern "C" fn lock(file: *mut ffi::sqlite3_file, wanted: c_int) -> c_int {
    // SAFETY: an open file.
    code(unsafe { with(file, |state, handle| state.lock(handle.node, handle.id, level(wanted))) })
}

unsafe extern "C" fn unlock(file: *mut ffi::sqlite3_file, to: c_int) -> c_int {
    // SAFETY: an open file.
    unsafe { with(file, |state, handle| state.unlock(handle.node, handle.id, level(to))) };
    ffi::SQLITE_OK
}

unsafe extern "C" fn check_reserved_lock(file: *mut ffi::sqlite3_file, answer: *mut c_int) -> c_int {
    // SAFETY: an open file, and a place for the result.
    code(unsafe { with(file, |state, handle| state.is_reserved(handle.node)).map(|held| *answer = c_int::from(held)) })
}

unsafe extern "C" fn file_control(_file: *mut ffi::sqlite3_file, _operation: c_int, _argument: *mut c_void) -> c_int {
    ffi::SQLITE_NOTFOUND
}

unsafe extern "C" fn sector_size(_file: *mut ffi::sqlite3_file) -> c_int {
    SECTOR
}

unsafe extern "C" fn device_characteristics(_file: *mut ffi::sqlite3_file) -> c_int {
    ffi::SQLITE_IOCAP_POWERSAFE_OVERWRITE
}

unsafe extern "C" fn shm_map(
    file: *mut ffi::sqlite3_file,
    region: c_int,
    bytes: c_int,
    extend: c_int,
    place: *mut *mut c_void,
) -> c_int {
    let (region, bytes) = (usize::try_from(region).unwrap_or(0), usize::try_from(bytes).unwrap_or(0));
    // SAFETY: an open file, and a place for the result. The memory stays until the file is unmapped or closed.
    unsafe {
        *place = std::ptr::null_mut();
        code(
            with(file, |state, handle| state.map(handle.node, handle.id, region, bytes, extend != 0))
                .map(|found| *place = found.map_or(std::ptr::null_mut(), <*mut u64>::cast)),
        )
    }
}

unsafe extern "C" fn shm_lock(file: *mut ffi::sqlite3_file, first: c_int, count: c_int, flags: c_int) -> c_int {
    let first = usize::try_from(first).unwrap_or(0).min(SLOTS);
    let slots = first..(first + usize::try_from(count).unwrap_or(0)).min(SLOTS);
    let change = |state: &mut State, handle: &Handle| {
        let (stopped, locks) = (state.stopped.is_some(), state.shared_locks(handle.node)?);
        if flags & ffi::SQLITE_SHM_UNLOCK != 0 {
            locks.release(handle.id, slots);
            return Ok(());
        }
        if stopped {
            return Err(ffi::SQLITE_IOERR_SHMLOCK);
        }
        let shared = flags & ffi::SQLITE_SHM_SHARED != 0;
        let taken = if shared { locks.share(handle.id, slots) } else { locks.take(handle.id, slots) };
        taken.map_err(|_| ffi::SQLITE_BUSY)
    };
    // SAFETY: an open file.
    code(unsafe { with(file, change) })
}

unsafe extern "C" fn shm_barrier(file: *mut ffi::sqlite3_file) {
    // The lock orders it for the threads that meet here, the fence for those that do not.
    std::sync::atomic::fence(Ordering::SeqCst);
    // SAFETY: an open file.
    unsafe { with(file, |_, _| ()) };
}

unsafe extern "C" fn shm_unmap(file: *mut ffi::sqlite3_file, _delete: c_int) -> c_int {
    // SAFETY: an open file; SQLite uses none of its regions after this.
    unsafe { with(file, |state, handle| state.unmap(handle.node, handle.id)) };
    ffi::SQLITE_OK
}

unsafe extern "C" fn delete(vfs: *mut ffi::sqlite3_vfs, name: *const c_char, sync_directory: c_int) -> c_int {
    // SAFETY: a VFS of ours and a name.
    let (registration, name) = unsafe { (registration(vfs), text(name)) };
    let name = name.map(Option::unwrap_or_default);
    code(name.and_then(|name| registration.state.lock().delete(name, sync_directory != 0)))
}

unsafe extern "C" fn access(
    vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    question: c_int,
    answer: *mut c_int,
) -> c_int {
    // SAFETY: a VFS of ours, a name, and a place for the result.
    unsafe {
        // Like unix: an empty file does not "exist", a journal or a log at least.
        let even_empty = question != ffi::SQLITE_ACCESS_EXISTS;
        let name = text(name).map(Option::unwrap_or_default);
        let found = name.and_then(|name| registration(vfs).state.lock().exists(name, even_empty));
        code(found.map(|found| *answer = c_int::from(found)))
    }
}

unsafe extern "C" fn full_pathname(
    _vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    room: c_int,
    out: *mut c_char,
) -> c_int {
    // SAFETY: a name, and `room` bytes to put the whole of it.
    unsafe {
        let name = match text(name) {
            Ok(name) => full_name(name.unwrap_or_default()),
            Err(code) => return code,
        };
        if name.len() >= usize::try_from(room).unwrap_or(0) {
            return ffi::SQLITE_CANTOPEN;
        }
        std::ptr::copy_nonoverlapping(name.as_ptr().cast::<c_char>(), out, name.len());
        *out.add(name.len()) = 0;
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn load_library(_vfs: *mut ffi::sqlite3_vfs, _name: *const c_char) -> *mut c_void {
    std::ptr::null_mut()
}

unsafe extern "C" fn say_why_not_loaded(_vfs: *mut ffi::sqlite3_vfs, room: c_int, out: *mut c_char) {
    if room > 0 {
        // SAFETY: there is room for at least the end of a string.
        unsafe { *out = 0 };
    }
}

unsafe extern "C" fn randomness(vfs: *mut ffi::sqlite3_vfs, bytes: c_int, out: *mut c_char) -> c_int {
    // SAFETY: a VFS of ours, and room for so many bytes, which SQLite may not have initialised.
    unsafe {
        let mut drawn = vec![0; usize::try_from(bytes).unwrap_or(0)];
        registration(vfs).state.lock().randomness.fill(&mut drawn);
        std::ptr::copy_nonoverlapping(drawn.as_ptr(), out.cast::<u8>(), drawn.len());
    }
    bytes
}

unsafe extern "C" fn sleep(vfs: *mut ffi::sqlite3_vfs, microseconds: c_int) -> c_int {
    // SAFETY: a VFS of ours.
    let sleeps = unsafe { registration(vfs) }.state.lock().sleeps;
    if sleeps {
        std::thread::sleep(Duration::from_micros(u64::try_from(microseconds).unwrap_or(0)));
    }
    microseconds
}

/// From noon in Greenwich on 24 November 4714 BC to 1970, in milliseconds.
const JULIAN_1970: i64 = 210_866_760_000_000;

unsafe extern "C" fn current_time_int64(vfs: *mut ffi::sqlite3_vfs, out: *mut i64) -> c_int {
    // SAFETY: a VFS of ours, and a place for the result.
    unsafe {
        let now = registration(vfs).state.lock().unix_ms;
        *out = JULIAN_1970.saturating_add_unsigned(now);
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn current_time(vfs: *mut ffi::sqlite3_vfs, out: *mut f64) -> c_int {
    let mut now = 0;
    // SAFETY: as for `current_time_int64`.
    unsafe {
        let code = current_time_int64(vfs, &raw mut now);
        *out = now as f64 / 86_400_000.0;
        code
    }
}

unsafe extern "C" fn last_error(_vfs: *mut ffi::sqlite3_vfs, _room: c_int, _out: *mut c_char) -> c_int {
    0
}
