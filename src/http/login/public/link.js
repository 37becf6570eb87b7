// What proves a link stands behind "#". It is taken out of the address, so that it stands in no history, and sent with the form.
const code = location.hash.slice(1);
if (/^[A-Za-z0-9_-]{43}$/.test(code)) {
  history.replaceState(null, "", location.pathname);
  const field = document.getElementById("code");
  if (field instanceof HTMLInputElement && field.form) {
    field.value = code;
    field.form.submit();
  }
}
