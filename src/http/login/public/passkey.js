// Passkeys: what a page asks for is handed to the browser, and what it answers is sent back with the form. No library, nothing else.
"use strict";

const bytesOf = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (sign) => sign.charCodeAt(0));
const textOf = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
const withBytes = (credentials) => credentials?.map((each) => ({ ...each, id: bytesOf(each.id) }));

async function create(options) {
  const made = await navigator.credentials.create({
    publicKey: {
      ...options,
      challenge: bytesOf(options.challenge),
      user: { ...options.user, id: bytesOf(options.user.id) },
      excludeCredentials: withBytes(options.excludeCredentials),
    },
  });
  const { clientDataJSON, attestationObject } = made.response;
  return answer(made, {
    clientDataJSON: textOf(clientDataJSON),
    attestationObject: textOf(attestationObject),
    transports: made.response.getTransports?.() ?? [],
  });
}

async function get(options) {
  const shown = await navigator.credentials.get({
    publicKey: { ...options, challenge: bytesOf(options.challenge), allowCredentials: withBytes(options.allowCredentials) },
  });
  const { clientDataJSON, authenticatorData, signature, userHandle } = shown.response;
  return answer(shown, {
    clientDataJSON: textOf(clientDataJSON),
    authenticatorData: textOf(authenticatorData),
    signature: textOf(signature),
    userHandle: userHandle === null ? null : textOf(userHandle),
  });
}

function answer({ id, type }, response) {
  return { id, rawId: id, type, response };
}

/** A form whose field `response` the passkey fills: the second factor, and enrolling. */
function attend(form) {
  form.addEventListener("submit", async (event) => {
    if (form.elements.response.value !== "") return;
    event.preventDefault();
    try {
      const options = JSON.parse(form.dataset.options);
      form.elements.response.value = JSON.stringify(await (form.dataset.passkey === "create" ? create(options) : get(options)));
      form.submit();
    } catch (error) {
      complain(form, { error, failed: form.dataset.failed });
    }
  });
}

/** The button on the first page: the passkey alone says who is there. */
function offer(button) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      const returnTo = document.querySelector("[name=return_to]")?.value;
      const begun = await post("/login/passkey/options", { csrf: button.dataset.csrf, return_to: returnTo });
      // From here on the page's token is of the sign-in that has begun.
      button.dataset.csrf = begun.csrf;
      for (const field of document.querySelectorAll("[name=csrf]")) field.value = begun.csrf;
      const done = await post("/login/passkey", { csrf: begun.csrf, response: await get(begun.options) });
      location.assign(done.redirect);
    } catch (error) {
      complain(button.parentElement, { error, failed: button.dataset.failed });
    }
  });
}

async function post(path, body) {
  const response = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  const said = await response.json();
  if (!response.ok) throw new Error(said.message);
  return said;
}

/** Browsers say what went wrong in words for programmers, and of set purpose little: the page says it in the reader's language. */
function complain(place, { error, failed }) {
  const line = place.querySelector(".problem") ?? document.createElement("p");
  line.className = "problem";
  line.setAttribute("role", "alert");
  line.textContent = error instanceof DOMException ? failed : error.message;
  place.prepend(line);
}

if (window.PublicKeyCredential) {
  for (const form of document.querySelectorAll("form[data-passkey]")) attend(form);
  const button = document.getElementById("passkey");
  if (button) offer(button);
}
