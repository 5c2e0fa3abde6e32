//! Invites as QR codes, for terminals and as PNG files.

use std::io::BufWriter;
use std::path::Path;

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

/// Writes the code as a greyscale PNG file.
///
/// # Errors
/// If the link is too long or the file cannot be written.
pub(crate) fn png(link: &str, path: &Path) -> Result<(), String> {
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
    let failed = |e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
    let file = std::fs::File::create(path).map_err(|e| failed(&e))?;
    let side = u32::try_from(side).expect("a QR code has at most 185 modules a side");
    let mut encoder = png::Encoder::new(BufWriter::new(file), side, side);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().map_err(|e| failed(&e))?;
    writer.write_image_data(&pixels).map_err(|e| failed(&e))?;
    writer.finish().map_err(|e| failed(&e))
}
