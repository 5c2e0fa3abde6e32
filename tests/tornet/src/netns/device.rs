//! Network namespaces and TUN devices, by the system calls that make them. The only unsafe code of
//! this crate: each block is one system call.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_short, c_ulong, c_ushort};
use std::fs;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::OwnedFd;
use std::ptr;

use rustix::fs::{Mode, OFlags};
use rustix::ioctl::{Opcode, Updater, ioctl};
use rustix::net::{AddressFamily, SocketType, netdevice::name_to_index, socket};
use rustix::thread::{UnshareFlags, unshare_unsafe};

/// The device's name, the same in every namespace.
const DEVICE: &CStr = c"tornet0";
const LOOPBACK: &CStr = c"lo";

// linux/if_tun.h, linux/sockios.h, linux/if.h, linux/route.h
const TUNSETIFF: Opcode = 0x4004_54ca;
const SIOCADDRT: Opcode = 0x890b;
const SIOCSIFFLAGS: Opcode = 0x8914;
const SIOCSIFADDR: Opcode = 0x8916;
const SIOCSIFNETMASK: Opcode = 0x891c;
const IFF_TUN: c_short = 0x0001;
const IFF_NO_PI: c_short = 0x1000;
const IFF_UP: c_short = 0x0001;
const IFF_RUNNING: c_short = 0x0040;
const RTF_UP: c_ushort = 0x0001;
const AF_INET: c_ushort = 2;

/// `struct sockaddr_in`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct SockaddrIn {
    family: c_ushort,
    port: u16,
    address: [u8; 4],
    zero: [u8; 8],
}

impl SockaddrIn {
    const fn new(address: Ipv4Addr) -> Self {
        Self {
            family: AF_INET,
            port: 0,
            address: address.octets(),
            zero: [0; 8],
        }
    }
}

/// `struct ifreq` with flags in its union.
#[repr(C)]
struct IfreqFlags {
    name: [u8; 16],
    flags: c_short,
    rest: [u8; 22],
}

/// `struct ifreq` with an address in its union.
#[repr(C)]
struct IfreqAddress {
    name: [u8; 16],
    address: SockaddrIn,
    rest: [u8; 8],
}

/// `struct rtentry`.
#[repr(C)]
struct Rtentry {
    pad1: c_ulong,
    destination: SockaddrIn,
    gateway: SockaddrIn,
    mask: SockaddrIn,
    flags: c_ushort,
    pad2: c_short,
    pad3: c_ulong,
    pad4: *mut u8,
    metric: c_short,
    device: *const c_char,
    mtu: c_ulong,
    window: c_ulong,
    irtt: c_ushort,
}

/// `struct in6_ifreq`.
#[repr(C)]
struct In6Ifreq {
    address: [u8; 16],
    prefix: u32,
    index: u32,
}

/// `struct in6_rtmsg`.
#[repr(C)]
struct In6Rtmsg {
    destination: [u8; 16],
    source: [u8; 16],
    gateway: [u8; 16],
    kind: u32,
    destination_length: u16,
    source_length: u16,
    metric: u32,
    info: c_ulong,
    flags: u32,
    index: u32,
}

const fn name(device: &CStr) -> [u8; 16] {
    let bytes = device.to_bytes();
    let mut name = [0; 16];
    let mut i = 0;
    while i < bytes.len() {
        name[i] = bytes[i];
        i += 1;
    }
    name
}

/// Moves this thread, and what it starts later, into a network namespace of its own.
pub(super) fn enter_new_namespace() -> io::Result<()> {
    // SAFETY: only NEWNET is unshared; the table of file descriptors stays shared.
    Ok(unsafe { unshare_unsafe(UnshareFlags::NEWNET) }?)
}

/// Makes the calling thread's namespace reach everything through one TUN device, and returns the
/// device's other end, which does not block.
pub(super) fn make_tun(v4: Ipv4Addr, v6: Ipv6Addr) -> io::Result<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let tun = rustix::fs::open("/dev/net/tun", flags, Mode::empty())?;
    let mut request = IfreqFlags {
        name: name(DEVICE),
        flags: IFF_TUN | IFF_NO_PI,
        rest: [0; 22],
    };
    // SAFETY: TUNSETIFF reads and writes one struct ifreq.
    unsafe { ioctl(&tun, Updater::<TUNSETIFF, IfreqFlags>::new(&mut request)) }?;

    quieten();
    let inet = socket(AddressFamily::INET, SocketType::DGRAM, None)?;
    set_address(&inet, v4)?;
    bring_up(&inet, LOOPBACK)?;
    bring_up(&inet, DEVICE)?;
    default_route(&inet)?;
    // A machine without IPv6 cannot leak by it either.
    if let Ok(inet6) = socket(AddressFamily::INET6, SocketType::DGRAM, None) {
        route_v6(&inet6, v6)?;
    }
    Ok(tun)
}

/// Keeps the kernel's own IPv6 announcements off the device. Best effort: without IPv6 there is
/// nothing to set.
fn quieten() {
    let directory = format!("/proc/sys/net/ipv6/conf/{}", DEVICE.to_string_lossy());
    for (setting, value) in [
        ("accept_ra", "0"),
        ("router_solicitations", "0"),
        ("addr_gen_mode", "1"),
    ] {
        let _ = fs::write(format!("{directory}/{setting}"), value);
    }
}

fn set_address(inet: &OwnedFd, address: Ipv4Addr) -> io::Result<()> {
    let request = |address| IfreqAddress {
        name: name(DEVICE),
        address: SockaddrIn::new(address),
        rest: [0; 8],
    };
    // SAFETY: SIOCSIFADDR reads one struct ifreq with an address.
    unsafe {
        ioctl(
            inet,
            Updater::<SIOCSIFADDR, IfreqAddress>::new(&mut request(address)),
        )
    }?;
    let mask = &mut request(Ipv4Addr::BROADCAST);
    // SAFETY: SIOCSIFNETMASK reads one struct ifreq with an address.
    Ok(unsafe { ioctl(inet, Updater::<SIOCSIFNETMASK, IfreqAddress>::new(mask)) }?)
}

fn bring_up(inet: &OwnedFd, device: &CStr) -> io::Result<()> {
    let mut request = IfreqFlags {
        name: name(device),
        flags: IFF_UP | IFF_RUNNING,
        rest: [0; 22],
    };
    // SAFETY: SIOCSIFFLAGS reads one struct ifreq with flags.
    Ok(unsafe { ioctl(inet, Updater::<SIOCSIFFLAGS, IfreqFlags>::new(&mut request)) }?)
}

fn default_route(inet: &OwnedFd) -> io::Result<()> {
    let any = SockaddrIn::new(Ipv4Addr::UNSPECIFIED);
    let mut route = Rtentry {
        pad1: 0,
        destination: any,
        gateway: any,
        mask: any,
        flags: RTF_UP,
        pad2: 0,
        pad3: 0,
        pad4: ptr::null_mut(),
        metric: 0,
        device: DEVICE.as_ptr(),
        mtu: 0,
        window: 0,
        irtt: 0,
    };
    // SAFETY: SIOCADDRT on an IPv4 socket reads one struct rtentry, whose device points to a
    // static C string.
    Ok(unsafe { ioctl(inet, Updater::<SIOCADDRT, Rtentry>::new(&mut route)) }?)
}

fn route_v6(inet6: &OwnedFd, address: Ipv6Addr) -> io::Result<()> {
    let index = name_to_index(inet6, &DEVICE.to_string_lossy())?;
    let mut request = In6Ifreq {
        address: address.octets(),
        prefix: 128,
        index,
    };
    // SAFETY: SIOCSIFADDR on an IPv6 socket reads one struct in6_ifreq.
    unsafe { ioctl(inet6, Updater::<SIOCSIFADDR, In6Ifreq>::new(&mut request)) }?;
    let mut route = In6Rtmsg {
        destination: [0; 16],
        source: [0; 16],
        gateway: [0; 16],
        kind: 0,
        destination_length: 0,
        source_length: 0,
        metric: 1,
        info: 0,
        flags: RTF_UP.into(),
        index,
    };
    // SAFETY: SIOCADDRT on an IPv6 socket reads one struct in6_rtmsg.
    Ok(unsafe { ioctl(inet6, Updater::<SIOCADDRT, In6Rtmsg>::new(&mut route)) }?)
}
