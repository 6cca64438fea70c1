//! A file descriptor that is readable as long as a queue is not empty.

use super::queue::Bell;

/// Two ends with one byte between them, or none.
#[cfg(unix)]
#[derive(Debug)]
pub(crate) struct Pipe {
    reader: std::os::unix::net::UnixStream,
    writer: std::os::unix::net::UnixStream,
}

#[cfg(unix)]
impl Pipe {
    pub fn new() -> std::io::Result<Pipe> {
        let (reader, writer) = std::os::unix::net::UnixStream::pair()?;
        // The host has the reading end too, and what it does with it must not let a thread wait that has the queue locked.
        reader.set_nonblocking(true)?;
        writer.set_nonblocking(true)?;
        Ok(Pipe { reader, writer })
    }

    /// Another descriptor of the reading end.
    pub fn descriptor(&self) -> std::io::Result<std::os::fd::OwnedFd> {
        Ok(self.reader.try_clone()?.into())
    }
}

#[cfg(unix)]
impl Bell for Pipe {
    fn ring(&self) {
        let _ = std::io::Write::write(&mut &self.writer, &[1]);
    }

    fn silence(&self) {
        let _ = std::io::Read::read(&mut &self.reader, &mut [0; 8]);
    }
}

/// Where there are no such descriptors.
#[cfg(not(unix))]
#[derive(Debug)]
pub(crate) enum Pipe {}

#[cfg(not(unix))]
impl Bell for Pipe {
    fn ring(&self) {}
    fn silence(&self) {}
}
