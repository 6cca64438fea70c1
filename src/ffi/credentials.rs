//! Credentials
//!
//! A credential that does not change is text in syncstore_http_options. One that does is asked of the host by a callback: before the first
//! request, and again when the server refuses the one at hand.

use super::error::syncstore_error;
use super::kit::callback::UserData;
use super::kit::failure::Failure;
use super::kit::handle::{Handle, Life, show};
use super::status::{SYNCSTORE_OK, syncstore_status};
use crate::wire::http::printable;
use crate::wire::{Credential, CredentialSource};
use parking_lot::Mutex;
use std::ffi::{c_char, c_void};
use std::sync::Arc;

/// The most that a host's words have in an error.
const WORDS: usize = 400;

/// A source of credentials, for any number of wires.
pub struct syncstore_credentials {
    life: Life,
    pub(super) source: Arc<Asked>,
}

impl Handle for syncstore_credentials {
    fn life(&self) -> &Life {
        &self.life
    }
}

/// What a callback is to fill in; it is the library's, and goes when the callback comes back.
pub struct syncstore_credential {
    life: Life,
    said: Mutex<Option<Result<Credential, String>>>,
}

impl Handle for syncstore_credential {
    fn life(&self) -> &Life {
        &self.life
    }
}

impl syncstore_credential {
    fn say(&self, said: Result<Credential, String>) -> Result<syncstore_status, Failure> {
        let mut kept = self.said.lock();
        if kept.is_some() {
            return Err(Failure::misuse("credential", "was filled in before"));
        }
        *kept = Some(said);
        Ok(SYNCSTORE_OK)
    }
}

/// Fills in a credential, by one of syncstore_credential_bearer(), syncstore_credential_hmac(), syncstore_credential_none() and
/// syncstore_credential_fail(); none of them is a failure too.
///
/// user_data: what was registered with it.
/// refresh: 0 before the first request. 1 after the server refused the last one: then a fresh one is wanted, and the one at hand again means that
/// there is none.
/// credential: what to fill in, until the callback comes back.
///
/// It is called within calls that make a request, on their thread, and for the pages of a checkpoint that are fetched ahead on one beside it (no_prefetch of syncstore_options: none
/// are); of a background sync on one of the threads that make its requests. Of one wire never
/// twice at a time, and no time-out bounds it. It must not call that wire, nor sync over it, nor wait for whoever does.
pub type syncstore_credential_callback =
    Option<unsafe extern "C" fn(user_data: *mut c_void, refresh: i32, credential: *mut syncstore_credential)>;

/// The host's callback as a source.
pub struct Asked {
    callback: unsafe extern "C" fn(*mut c_void, i32, *mut syncstore_credential),
    user_data: UserData,
}

impl CredentialSource for Asked {
    fn credential(&self, refresh: bool) -> Result<Credential, String> {
        let wanted = Arc::new(syncstore_credential { life: Life::new(), said: Mutex::new(None) });
        show(&wanted, |wanted| {
            // SAFETY: by the conventions of the header the callback may be called with its `user_data` on any such thread.
            unsafe { (self.callback)(self.user_data.get(), i32::from(refresh), wanted) }
        });
        let said = wanted.said.lock().take();
        said.unwrap_or_else(|| Err("its callback filled in none".to_owned()))
    }
}

/// A source of credentials that asks the host.
///
/// callback: what is asked; it may not be NULL.
/// user_data, destroy: what the callback gets; destroy, which may be NULL, is called with it when the credentials were freed and no wire has them any more,
/// on whichever thread let go last.
/// credentials: takes the source; free it with syncstore_credentials_free().
/// Errors: SYNCSTORE_MISUSE.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_credentials_new(
    callback: syncstore_credential_callback,
    user_data: *mut c_void,
    destroy: Option<unsafe extern "C" fn(user_data: *mut c_void)>,
    credentials: *mut *mut syncstore_credentials,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    // SAFETY: by the conventions of the header `destroy` may be called with its `user_data`, once.
    let user_data = unsafe { UserData::new(user_data, destroy) };
    call!(error, [required credentials], || {
        let callback = callback.ok_or_else(|| Failure::null("callback"))?;
        credentials.give(syncstore_credentials { life: Life::new(), source: Arc::new(Asked { callback, user_data }) })
    })
}

/// Frees a source of credentials; wires that were made with it keep what they need. NULL is ignored.
///
/// Thread: any; no other may be using this handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_credentials_free(credentials: *mut syncstore_credentials) {
    free!(credentials)
}

/// Fills in a bearer token.
///
/// token: visible ASCII; it is copied. One that cannot stand in a header fails the request with SYNCSTORE_SETUP.
/// Errors: SYNCSTORE_MISUSE, also where the credential was filled in before.
///
/// Thread: any, while the callback runs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_credential_bearer(
    credential: *mut syncstore_credential,
    token: *const c_char,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |credential| credential.say(Ok(Credential::bearer(name!(token)))))
}

/// Fills in an application's key, with which each request is signed on behalf of a user; the secret is never sent.
///
/// key, user, secret: they are copied; ASCII without control characters and quotes, but for the secret.
/// Errors: SYNCSTORE_MISUSE, also where the credential was filled in before.
///
/// Thread: any, while the callback runs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_credential_hmac(
    credential: *mut syncstore_credential,
    key: *const c_char,
    user: *const c_char,
    secret: *const c_char,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |credential| credential.say(Ok(Credential::hmac(name!(key), name!(user), name!(secret)))))
}

/// Says that requests go without a credential.
///
/// Errors: SYNCSTORE_MISUSE, also where the credential was filled in before.
///
/// Thread: any, while the callback runs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_credential_none(
    credential: *mut syncstore_credential,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |credential| credential.say(Ok(Credential::None)))
}

/// Says that there is none now, and why: the request fails with SYNCSTORE_UNAUTHENTICATED.
///
/// message: the first 400 characters come in the error's message: it must not hold a secret.
/// Errors: SYNCSTORE_MISUSE, also where the credential was filled in before.
///
/// Thread: any, while the callback runs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncstore_credential_fail(
    credential: *mut syncstore_credential,
    message: *const c_char,
    error: *mut *mut syncstore_error,
) -> syncstore_status {
    call!(error, [], |credential| credential.say(Err(printable(name!(message), WORDS))))
}
