use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};

use super::*;

/// A server that answers every request alike; what it was sent, a text a request.
fn server(answer: impl Fn(&str) -> String + Send + 'static) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("bound"));
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let lines = BufReader::new(&stream).lines().map_while(Result::ok);
            let request: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
            let answer = answer(request.first().map_or("", String::as_str));
            // Told before it is answered: who has the answer finds what was asked.
            if sender.send(request.join("\n")).is_err() {
                return;
            }
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    (address, receiver)
}

fn to(place: &str) -> String {
    format!("HTTP/1.1 302 x\r\nlocation: {place}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
}

#[test]
fn a_redirect_is_followed_without_the_credential() {
    let (mirror, heard_there) =
        server(|_| "HTTP/1.1 200 x\r\ncontent-length: 5\r\nconnection: close\r\n\r\nbytes".to_owned());
    let place = format!("{mirror}/there?signature=word");
    let (fleet, heard_here) = server(move |_| to(&place));
    let http = Http::new(None, true).expect("no certificates are needed");
    let mut answer = http.transfer(&format!("{fleet}/x"), Some("wk_live_1"), 0, "ab").expect("followed");
    assert_eq!(answer.body_mut().read_to_string().expect("bytes"), "bytes");
    assert!(heard_here.recv().expect("asked").to_ascii_lowercase().contains("authorization: bearer wk_live_1"));
    let there = heard_there.recv().expect("asked").to_ascii_lowercase();
    assert!(!there.contains("authorization") && !there.contains("wk_live"), "{there}");
}

#[test]
fn what_says_who_we_are_goes_nowhere_else_and_circles_end() {
    let (fleet, heard) = server(|_| to("/again"));
    let http = Http::new(None, true).expect("no certificates are needed");
    let refused = http.post::<_, ()>(&format!("{fleet}/x"), Some("wk_live_1"), &(), 10).expect_err("not followed");
    assert_eq!(refused.status(), Some(302));
    assert_eq!(heard.try_iter().count(), 1);
    http.transfer(&format!("{fleet}/x"), None, 0, "ab").expect_err("a circle");
    assert_eq!(heard.try_iter().count(), 1 + REDIRECTS as usize);
}

#[test]
fn a_payload_is_well_when_its_address_says_so_in_time() {
    let http = Http::new(None, true).expect("no certificates are needed");
    let says = |status: u16| format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    let (well, _kept) = server(move |_| says(204));
    let (ill, _kept_too) = server(move |_| says(500));
    assert!(http.is_well(&well, Duration::from_secs(30)));
    assert!(!http.is_well(&ill, Duration::from_secs(30)));
    // One that takes the question and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", silent.local_addr().expect("bound"));
    assert!(!http.is_well(&address, Duration::from_millis(50)));
}

#[test]
fn an_answer_is_read_as_far_as_was_asked_for_and_no_further() {
    let much = |length: String| {
        let body = "x".repeat(300_000);
        format!("HTTP/1.1 200 x\r\n{length}connection: close\r\n\r\n{body}")
    };
    // One that says how much it is, and one that says nothing and could go on for ever.
    for length in ["content-length: 300000\r\n", ""] {
        let (fleet, _heard) = server(move |_| much(length.to_owned()));
        let http = Http::new(None, true).expect("no certificates are needed");
        let address = format!("{fleet}/edge/v1/metadata/targets");
        let refused = http.get(&address, None, 1000).expect_err("more than was asked for").to_string();
        assert!(refused.contains("at most 1000 bytes are read"), "{refused}");
        assert!(http.post::<_, ()>(&address, None, &(), 1000).is_err());
        assert_eq!(http.get(&address, None, 300_000).expect("all of it").map(|bytes| bytes.len()), Some(300_000));
    }
}
