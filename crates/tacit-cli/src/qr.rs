//! Invites as QR codes, for terminals and as PNG files.

use qrcode::render::unicode;
use qrcode::{Color, EcLevel, QrCode};

/// Pixels of one module.
const SCALE: usize = 8;
/// White modules around the code (ISO/IEC 18004 asks for four).
const QUIET: usize = 4;

fn code(link: &str) -> Result<QrCode, String> {
    QrCode::with_error_correction_level(link, EcLevel::M)
        .map_err(|e| format!("the invite does not fit a QR code: {e}"))
}

/// The code as half-block characters, dark on light.
///
/// # Errors
/// If the link is too long for any QR code.
pub(crate) fn text(link: &str) -> Result<String, String> {
    Ok(code(link)?
        .render::<unicode::Dense1x2>()
        .dark_color(unicode::Dense1x2::Light)
        .light_color(unicode::Dense1x2::Dark)
        .build())
}

/// The code as a greyscale PNG file's content.
///
/// # Errors
/// If the link is too long for any QR code.
pub(crate) fn png(link: &str) -> Result<Vec<u8>, String> {
    let code = code(link)?;
    let modules = code.to_colors();
    let width = code.width();
    let side = (width + 2 * QUIET) * SCALE;
    let mut pixels = vec![255_u8; side * side];
    for (i, colour) in modules.iter().enumerate() {
        if *colour == Color::Dark {
            let (left, top) = ((i % width + QUIET) * SCALE, (i / width + QUIET) * SCALE);
            for row in top..top + SCALE {
                pixels[row * side + left..row * side + left + SCALE].fill(0);
            }
        }
    }
    let mut bytes = Vec::new();
    let side = u32::try_from(side).expect("a QR code has at most 185 modules a side");
    let mut encoder = png::Encoder::new(&mut bytes, side, side);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Eight);
    encoder
        .write_header()
        .and_then(|mut writer| {
            writer.write_image_data(&pixels)?;
            writer.finish()
        })
        .map_err(|e| e.to_string())?;
    Ok(bytes)
}
