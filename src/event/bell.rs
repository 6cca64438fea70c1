//! A file descriptor that is readable as long as a queue is not empty.

use super::queue::Bell;

/// A pipe with one byte in it, or none.
#[cfg(unix)]
#[derive(Debug)]
pub(crate) struct Pipe {
    reader: std::io::PipeReader,
    writer: std::io::PipeWriter,
}

#[cfg(unix)]
impl Pipe {
    pub fn new() -> std::io::Result<Pipe> {
        let (reader, writer) = std::io::pipe()?;
        Ok(Pipe { reader, writer })
    }

    /// Another descriptor of the reading end.
    pub fn descriptor(&self) -> std::io::Result<std::os::fd::OwnedFd> {
        Ok(self.reader.try_clone()?.into())
    }
}

#[cfg(unix)]
impl Bell for Pipe {
    // One byte at most is in it, so neither waits.
    fn ring(&self) {
        let _ = std::io::Write::write(&mut &self.writer, &[1]);
    }

    fn silence(&self) {
        let _ = std::io::Read::read(&mut &self.reader, &mut [0]);
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
