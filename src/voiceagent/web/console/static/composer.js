// The field to write in: Enter sends where there is a keyboard, and it grows with its text.

const MOST_ROWS = 7;

function field() {
  return document.querySelector(".composer textarea");
}

function grow() {
  const text = field();
  if (text === null || CSS.supports("field-sizing", "content")) return;
  text.rows = Math.min(MOST_ROWS, text.value.split("\n").length);
}

document.addEventListener("keydown", (event) => {
  if (event.target !== field() || event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  if (matchMedia("(pointer: coarse)").matches) return; // on a telephone it begins a line
  event.preventDefault();
  if (event.target.value.trim() !== "") event.target.form.requestSubmit();
});
document.addEventListener("input", grow);
document.addEventListener("submitted", () => {
  field()?.focus();
  const timeline = document.getElementById("timeline");
  if (timeline !== null) timeline.scrollTop = 0; // its end: it is laid out from below
});
