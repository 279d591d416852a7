//! MIT Kerberos' GSS-API (RFC 2744), loaded when it is first needed: the only unsafe code here.
//!
//! Everything that crosses the border is copied; every handle belongs to one owner, which gives it
//! back when dropped. Calls that may ask a KDC block, so they are made on threads of their own.

#![allow(unsafe_code, reason = "C, and no other way to a security context")]

use std::error::Error;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr;
use std::slice;
use std::sync::OnceLock;

use libloading::Symbol;

/// The library's name in every Linux distribution.
const FILE: &str = "libgssapi_krb5.so.2";
/// Kerberos 5, 1.2.840.113554.1.2.2 (RFC 1964 §1).
const KRB5: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02];
/// GSS_KRB5_NT_PRINCIPAL_NAME (RFC 1964 §2.1.1): a principal as it stands, no host is looked up.
const PRINCIPAL: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02, 0x01];

const COMPLETE: u32 = 0;
const CONTINUE_NEEDED: u32 = 1;
/// Calling and routine errors; what lies below is supplementary.
const ERROR_MASK: u32 = 0xffff_0000;
const INITIATE: c_int = 1;
const INDEFINITE: u32 = u32::MAX;
const MUTUAL: u32 = 2;
const REPLAY: u32 = 4;
const INTEG: u32 = 32;
const STATUS_OF_GSS: c_int = 1;
const STATUS_OF_MECHANISM: c_int = 2;
/// Parts of one status text at the most, so that a broken library does not keep us.
const MOST_TEXTS: usize = 8;

type Handle = *mut c_void;

#[repr(C)]
struct Buffer {
    length: usize,
    value: *mut c_void,
}

#[repr(C)]
struct Oid {
    length: u32,
    elements: *mut c_void,
}

#[repr(C)]
struct OidSet {
    count: usize,
    elements: *mut Oid,
}

#[repr(C)]
struct StoreElement {
    key: *const c_char,
    value: *const c_char,
}

#[repr(C)]
struct StoreElements {
    count: u32,
    elements: *const StoreElement,
}

type ImportName = unsafe extern "C" fn(*mut u32, *const Buffer, *const Oid, *mut Handle) -> u32;
type Release = unsafe extern "C" fn(*mut u32, *mut Handle) -> u32;
type ReleaseBuffer = unsafe extern "C" fn(*mut u32, *mut Buffer) -> u32;
type AcquireCredential = unsafe extern "C" fn(
    *mut u32,
    Handle,
    u32,
    *const OidSet,
    c_int,
    *const StoreElements,
    *mut Handle,
    *mut Handle,
    *mut u32,
) -> u32;
type InitContext = unsafe extern "C" fn(
    *mut u32,
    Handle,
    *mut Handle,
    Handle,
    *const Oid,
    u32,
    u32,
    Handle,
    *const Buffer,
    *mut Handle,
    *mut Buffer,
    *mut u32,
    *mut u32,
) -> u32;
type DeleteContext = unsafe extern "C" fn(*mut u32, *mut Handle, *mut Buffer) -> u32;
type GetMic = unsafe extern "C" fn(*mut u32, Handle, u32, *const Buffer, *mut Buffer) -> u32;
type VerifyMic =
    unsafe extern "C" fn(*mut u32, Handle, *const Buffer, *const Buffer, *mut u32) -> u32;
type ContextTime = unsafe extern "C" fn(*mut u32, Handle, *mut u32) -> u32;
type DisplayStatus =
    unsafe extern "C" fn(*mut u32, u32, c_int, *const Oid, *mut u32, *mut Buffer) -> u32;

/// The functions of the library, which stays loaded for the life of the process.
pub(super) struct Library {
    import_name: ImportName,
    release_name: Release,
    acquire_credential: AcquireCredential,
    release_credential: Release,
    init_context: InitContext,
    delete_context: DeleteContext,
    get_mic: GetMic,
    verify_mic: VerifyMic,
    context_time: ContextTime,
    display_status: DisplayStatus,
    release_buffer: ReleaseBuffer,
}

/// What the library said to a call that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    /// GSS's major status.
    pub(super) major: u32,
    /// Kerberos' code.
    pub(super) minor: u32,
    /// What that means, in words.
    pub(super) text: String,
}

/// Where a ticket comes from.
pub(super) enum Source {
    /// From the KDC, by the keys in this keytab; kept in the credentials cache `ccache`.
    Keytab {
        /// The keytab's name.
        keytab: CString,
        /// The cache's name.
        ccache: CString,
    },
    /// From this credentials cache.
    Ccache(CString),
    /// As the system says.
    Default,
}

/// The library, loaded once; or why it cannot be.
pub(super) fn library() -> Result<&'static Library, String> {
    static LIBRARY: OnceLock<Result<Library, String>> = OnceLock::new();
    LIBRARY
        .get_or_init(|| {
            Library::load().map_err(|error| match error.source() {
                // The loader's own words, which name the file.
                Some(source) => source.to_string(),
                None => error.to_string(),
            })
        })
        .as_ref()
        .map_err(Clone::clone)
}

impl Library {
    fn load() -> Result<Self, libloading::Error> {
        // SAFETY: the library's initialisers set up its own state and nothing else. It is never
        // unloaded (leaked below), so that its functions stay where they are.
        let library = unsafe { libloading::Library::new(FILE) }?;
        let library: &'static libloading::Library = Box::leak(Box::new(library));
        // SAFETY: each function has this type by gssapi.h and gssapi_ext.h of MIT Kerberos, whose
        // ABI the library's version number, 2, stands for.
        unsafe {
            Ok(Self {
                import_name: *function::<ImportName>(library, c"gss_import_name")?,
                release_name: *function::<Release>(library, c"gss_release_name")?,
                acquire_credential: *function::<AcquireCredential>(
                    library,
                    c"gss_acquire_cred_from",
                )?,
                release_credential: *function::<Release>(library, c"gss_release_cred")?,
                init_context: *function::<InitContext>(library, c"gss_init_sec_context")?,
                delete_context: *function::<DeleteContext>(library, c"gss_delete_sec_context")?,
                get_mic: *function::<GetMic>(library, c"gss_get_mic")?,
                verify_mic: *function::<VerifyMic>(library, c"gss_verify_mic")?,
                context_time: *function::<ContextTime>(library, c"gss_context_time")?,
                display_status: *function::<DisplayStatus>(library, c"gss_display_status")?,
                release_buffer: *function::<ReleaseBuffer>(library, c"gss_release_buffer")?,
            })
        }
    }

    /// A principal as GSS knows it.
    pub(super) fn principal(&'static self, text: &str) -> Result<PrincipalName, Failure> {
        let mut name = PrincipalName {
            library: self,
            handle: ptr::null_mut(),
        };
        let mut minor = 0;
        // SAFETY: the buffer and the OID live through the call, which copies them; the handle
        // returned belongs to `name`.
        let major = unsafe {
            (self.import_name)(
                &mut minor,
                &borrowed(text.as_bytes()),
                &oid(PRINCIPAL),
                &mut name.handle,
            )
        };
        self.check(major, minor)?;
        Ok(name)
    }

    /// The credential of a principal, for Kerberos 5 and no other mechanism.
    pub(super) fn credential(
        &'static self,
        principal: &PrincipalName,
        source: &Source,
    ) -> Result<Credential, Failure> {
        let element = |key: &'static CStr, value: &CString| StoreElement {
            key: key.as_ptr(),
            value: value.as_ptr(),
        };
        let elements = match source {
            Source::Keytab { keytab, ccache } => vec![
                element(c"client_keytab", keytab),
                element(c"ccache", ccache),
            ],
            Source::Ccache(ccache) => vec![element(c"ccache", ccache)],
            Source::Default => Vec::new(),
        };
        let store = StoreElements {
            // Two at the most.
            count: u32::try_from(elements.len()).unwrap_or_default(),
            elements: elements.as_ptr(),
        };
        let store: *const StoreElements = match elements.is_empty() {
            true => ptr::null(),
            false => &store,
        };
        let mut mechanism = oid(KRB5);
        let mechanisms = OidSet {
            count: 1,
            elements: &mut mechanism,
        };
        let mut credential = Credential {
            library: self,
            handle: ptr::null_mut(),
        };
        let mut minor = 0;
        // SAFETY: name, set and store live through the call, which copies what it keeps; the
        // strings of the store belong to `source`. The last two results are optional, and the
        // handle returned belongs to `credential`.
        let major = unsafe {
            (self.acquire_credential)(
                &mut minor,
                principal.handle,
                INDEFINITE,
                &mechanisms,
                INITIATE,
                store,
                &mut credential.handle,
                ptr::null_mut(),
                ptr::null_mut(),
            )
        };
        self.check(major, minor)?;
        Ok(credential)
    }

    fn check(&self, major: u32, minor: u32) -> Result<(), Failure> {
        if major & ERROR_MASK == 0 {
            return Ok(());
        }
        // Kerberos' words say what happened; GSS's only of which kind that is.
        let mut texts = match minor {
            0 => Vec::new(),
            minor => self.texts(minor, STATUS_OF_MECHANISM),
        };
        if texts.iter().all(String::is_empty) {
            texts = self.texts(major, STATUS_OF_GSS);
        }
        Err(Failure {
            major,
            minor,
            text: texts.join(": "),
        })
    }

    /// A status in words; Kerberos keeps those of the last error for the thread that made it.
    fn texts(&self, status: u32, kind: c_int) -> Vec<String> {
        let mut texts = Vec::new();
        let mut more = 0;
        while texts.len() < MOST_TEXTS {
            let mut minor = 0;
            let mut text = Returned::new(self);
            // SAFETY: the OID lives through the call; `more` is the library's own note between
            // calls, 0 at first; the buffer returned belongs to `text`.
            let major = unsafe {
                (self.display_status)(
                    &mut minor,
                    status,
                    kind,
                    &oid(KRB5),
                    &mut more,
                    &mut text.buffer,
                )
            };
            if major != COMPLETE {
                break;
            }
            texts.push(String::from_utf8_lossy(text.octets()).trim().to_owned());
            if more == 0 {
                break;
            }
        }
        texts
    }
}

/// A function of the library.
///
/// # Safety
///
/// `T` must be the function's type.
unsafe fn function<'l, T>(
    library: &'l libloading::Library,
    name: &CStr,
) -> Result<Symbol<'l, T>, libloading::Error> {
    // SAFETY: the caller vouches for the type.
    unsafe { library.get(name.to_bytes_with_nul()) }
}

/// A buffer that the library only reads.
fn borrowed(octets: &[u8]) -> Buffer {
    Buffer {
        length: octets.len(),
        value: octets.as_ptr().cast_mut().cast(),
    }
}

/// An OID that the library only reads.
fn oid(elements: &'static [u8]) -> Oid {
    Oid {
        // Ten octets at the most.
        length: u32::try_from(elements.len()).unwrap_or_default(),
        elements: elements.as_ptr().cast_mut().cast(),
    }
}

/// A buffer that the library fills, given back when dropped.
struct Returned<'l> {
    library: &'l Library,
    buffer: Buffer,
}

impl<'l> Returned<'l> {
    fn new(library: &'l Library) -> Self {
        Self {
            library,
            buffer: Buffer {
                length: 0,
                value: ptr::null_mut(),
            },
        }
    }

    fn octets(&self) -> &[u8] {
        if self.buffer.value.is_null() {
            return &[];
        }
        // SAFETY: the library filled the buffer: so many octets stand there, and stay until it is
        // released, which drops `self`.
        unsafe { slice::from_raw_parts(self.buffer.value.cast(), self.buffer.length) }
    }
}

impl Drop for Returned<'_> {
    fn drop(&mut self) {
        let mut minor = 0;
        // SAFETY: the library's own buffer, or an empty one, which it leaves alone.
        unsafe { (self.library.release_buffer)(&mut minor, &mut self.buffer) };
    }
}

/// A principal.
pub(super) struct PrincipalName {
    library: &'static Library,
    handle: Handle,
}

impl Drop for PrincipalName {
    fn drop(&mut self) {
        let mut minor = 0;
        // SAFETY: our own name, or none, which the library leaves alone.
        unsafe { (self.library.release_name)(&mut minor, &mut self.handle) };
    }
}

/// The right to act as a principal.
pub(super) struct Credential {
    library: &'static Library,
    handle: Handle,
}

impl Drop for Credential {
    fn drop(&mut self) {
        let mut minor = 0;
        // SAFETY: our own credential, or none, which the library leaves alone.
        unsafe { (self.library.release_credential)(&mut minor, &mut self.handle) };
    }
}

/// What comes of one step of a negotiation.
pub(super) struct Step {
    /// For the server; empty: nothing is to be sent.
    pub(super) token: Vec<u8>,
    /// True once the context stands on our side.
    pub(super) is_complete: bool,
}

/// A negotiation, which becomes a [`Context`].
pub(super) struct Initiator {
    credential: Credential,
    target: PrincipalName,
    context: Context,
    granted: u32,
}

impl Initiator {
    /// Begins with nothing sent yet.
    pub(super) fn new(credential: Credential, target: PrincipalName) -> Self {
        let context = Context {
            library: credential.library,
            handle: ptr::null_mut(),
        };
        Self {
            credential,
            target,
            context,
            granted: 0,
        }
    }

    /// Takes the server's token, none at first; may ask the KDC, and wait for it.
    pub(super) fn step(&mut self, token: &[u8]) -> Result<Step, Failure> {
        let library = self.context.library;
        let input = borrowed(token);
        let input: *const Buffer = match token.is_empty() {
            true => ptr::null(),
            false => &input,
        };
        let mut output = Returned::new(library);
        let mut minor = 0;
        // SAFETY: credential, target, OID and input live through the call. The context is none at
        // first and the library's own from then on; where a call fails, the library deletes a new
        // one itself and leaves none, or leaves ours for us to delete. The buffer returned belongs
        // to `output`; channel bindings, mechanism and time are optional.
        let major = unsafe {
            (library.init_context)(
                &mut minor,
                self.credential.handle,
                &mut self.context.handle,
                self.target.handle,
                &oid(KRB5),
                MUTUAL | REPLAY | INTEG,
                0,
                ptr::null_mut(),
                input,
                ptr::null_mut(),
                &mut output.buffer,
                &mut self.granted,
                ptr::null_mut(),
            )
        };
        library.check(major, minor)?;
        Ok(Step {
            token: output.octets().to_vec(),
            is_complete: major & CONTINUE_NEEDED == 0,
        })
    }

    /// The context of a complete negotiation; `None` when the server did not prove itself, or
    /// messages cannot be signed.
    pub(super) fn into_context(self) -> Option<Context> {
        let wanted = MUTUAL | INTEG;
        (self.granted & wanted == wanted).then_some(self.context)
    }
}

/// An established security context: computes, and asks nobody.
pub(super) struct Context {
    library: &'static Library,
    handle: Handle,
}

// SAFETY: MIT Kerberos ties no handle to a thread; it must only not be used by two at once, and
// there is no shared access: `Context` is not `Sync`.
unsafe impl Send for Context {}

impl Context {
    /// The MIC over a message.
    pub(super) fn mic(&mut self, message: &[u8]) -> Result<Vec<u8>, Failure> {
        let mut mic = Returned::new(self.library);
        let mut minor = 0;
        // SAFETY: the context is established and ours alone; the message lives through the call;
        // the buffer returned belongs to `mic`. Quality of protection 0 is the default.
        let major = unsafe {
            (self.library.get_mic)(
                &mut minor,
                self.handle,
                0,
                &borrowed(message),
                &mut mic.buffer,
            )
        };
        self.library.check(major, minor)?;
        Ok(mic.octets().to_vec())
    }

    /// True when the MIC is the server's over this message, and was not seen before.
    pub(super) fn verifies(&mut self, message: &[u8], mic: &[u8]) -> bool {
        let mut minor = 0;
        // SAFETY: the context is established and ours alone; message and MIC live through the
        // call; the quality of protection is optional.
        let major = unsafe {
            (self.library.verify_mic)(
                &mut minor,
                self.handle,
                &borrowed(message),
                &borrowed(mic),
                ptr::null_mut(),
            )
        };
        // A repeated or an old one is supplementary, no error, and does not count.
        major == COMPLETE
    }

    /// Seconds for which the context is valid; 0 when it is no more.
    pub(super) fn seconds_left(&mut self) -> u32 {
        let mut seconds = 0;
        let mut minor = 0;
        // SAFETY: the context is established and ours alone.
        let major = unsafe { (self.library.context_time)(&mut minor, self.handle, &mut seconds) };
        match major {
            COMPLETE => seconds,
            _ => 0,
        }
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        if self.handle.is_null() {
            return;
        }
        let mut minor = 0;
        // SAFETY: our own context; no token for the other side is wanted.
        unsafe {
            (self.library.delete_context)(&mut minor, &mut self.handle, ptr::null_mut());
        }
    }
}
