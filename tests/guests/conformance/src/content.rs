//! Every kind of block that a result can have.

use toolhost_sdk::{Call, Content, Failure, Output, Plugin, Tool};

use crate::Nothing;

/// One red pixel.
const PNG: &[u8] = &[
    0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13, b'I', b'H', b'D', b'R', 0, 0, 0,
    1, 0, 0, 0, 1, 8, 2, 0, 0, 0, 0x90, 0x77, 0x53, 0xde, 0, 0, 0, 12, b'I', b'D', b'A', b'T',
    0x08, 0xd7, 0x63, 0xf8, 0xcf, 0xc0, 0, 0, 3, 1, 1, 0, 0x18, 0xdd, 0x8d, 0xb0, 0, 0, 0, 0, b'I',
    b'E', b'N', b'D', 0xae, 0x42, 0x60, 0x82,
];

/// A sound file with no sound in it: one channel, 8,000 Hz, 8 bits.
const WAV: &[u8] = &[
    b'R', b'I', b'F', b'F', 36, 0, 0, 0, b'W', b'A', b'V', b'E', b'f', b'm', b't', b' ', 16, 0, 0,
    0, 1, 0, 1, 0, 0x40, 0x1f, 0, 0, 0x40, 0x1f, 0, 0, 1, 0, 8, 0, b'd', b'a', b't', b'a', 0, 0, 0,
    0,
];

pub(crate) fn tools(plugin: Plugin) -> Plugin {
    plugin
        .tool(
            Tool::new("test_simple_text", text)
                .description("one block of text")
                .read_only(),
        )
        .tool(
            Tool::new("test_image_content", |_: Nothing, _: &Call| {
                Ok(Output::default().with(image()))
            })
            .description("one picture")
            .read_only(),
        )
        .tool(
            Tool::new("test_audio_content", audio)
                .description("one sound")
                .read_only(),
        )
        .tool(
            Tool::new("test_embedded_resource", resource)
                .description("one resource")
                .read_only(),
        )
        .tool(
            Tool::new("test_multiple_content_types", mixed)
                .description("text, a picture and a resource")
                .read_only(),
        )
        .tool(
            Tool::new("test_error_handling", error)
                .description("always fails")
                .read_only(),
        )
}

fn text(_: Nothing, _: &Call) -> Result<String, Failure> {
    Ok("This is a simple text response for testing.".to_owned())
}

fn image() -> Content {
    Content::Image {
        data: PNG.to_vec(),
        mime_type: "image/png".to_owned(),
    }
}

fn audio(_: Nothing, _: &Call) -> Result<Output, Failure> {
    Ok(Output::default().with(Content::Audio {
        data: WAV.to_vec(),
        mime_type: "audio/wav".to_owned(),
    }))
}

fn resource(_: Nothing, _: &Call) -> Result<Output, Failure> {
    Ok(Output::default().with(Content::TextResource {
        uri: "test://embedded-resource".to_owned(),
        mime_type: Some("text/plain".to_owned()),
        text: "This is an embedded resource content.".to_owned(),
    }))
}

fn mixed(_: Nothing, _: &Call) -> Result<Output, Failure> {
    Ok(Output::text("Multiple content types test:")
        .with(image())
        .with(Content::TextResource {
            uri: "test://mixed-content-resource".to_owned(),
            mime_type: Some("application/json".to_owned()),
            text: r#"{"test":"data","value":123}"#.to_owned(),
        }))
}

fn error(_: Nothing, _: &Call) -> Result<Output, Failure> {
    Err(Failure::failed(
        "This tool intentionally returns an error for testing",
    ))
}
