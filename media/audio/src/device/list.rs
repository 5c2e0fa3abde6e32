//! Which devices there are.

use super::Direction;
use super::quiet::Quiet;
use crate::DeviceChoice;
use cpal::traits::{DeviceTrait, HostTrait};

/// A device that can be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceInfo {
    /// What [`DeviceChoice::Named`] takes; stays the same between runs where the system allows.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Microphone or loudspeaker; a device that is both is listed twice.
    pub direction: Direction,
    /// Whether the system would choose it.
    pub is_default: bool,
}

/// Every device of the system; empty when it has no sound at all. May take a second: it asks each.
#[must_use]
pub fn list_devices() -> Vec<DeviceInfo> {
    let _quiet = Quiet::on_this_thread();
    let host = cpal::default_host();
    let mut found = Vec::new();
    for direction in [Direction::Input, Direction::Output] {
        let default = default_id(&host, direction);
        for device in host.devices().into_iter().flatten() {
            let fits = match direction {
                Direction::Input => device.supports_input(),
                Direction::Output => device.supports_output(),
            };
            let (true, Ok(id)) = (fits, device.id()) else {
                continue;
            };
            found.push(DeviceInfo {
                is_default: default.as_deref() == Some(id.id()),
                id: id.id().to_owned(),
                name: device
                    .description()
                    .map_or_else(|_| id.to_string(), |d| d.name().to_owned()),
                direction,
            });
        }
    }
    found
}

fn default_device(host: &cpal::Host, direction: Direction) -> Option<cpal::Device> {
    match direction {
        Direction::Input => host.default_input_device(),
        Direction::Output => host.default_output_device(),
    }
}

/// What identifies the system's default at this moment.
pub(super) fn default_id(host: &cpal::Host, direction: Direction) -> Option<String> {
    default_device(host, direction)?
        .id()
        .ok()
        .map(|id| id.id().to_owned())
}

/// The device of a choice.
pub(super) fn find(
    host: &cpal::Host,
    direction: Direction,
    choice: &DeviceChoice,
) -> Option<cpal::Device> {
    let name = match choice {
        DeviceChoice::Default => return default_device(host, direction),
        DeviceChoice::Named(name) => name,
    };
    host.devices().ok()?.find(|device| {
        device
            .id()
            .is_ok_and(|id| id.id() == name || id.to_string() == *name)
            || device.description().is_ok_and(|d| d.name() == name)
    })
}
