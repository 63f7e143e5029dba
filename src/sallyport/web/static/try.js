// Try an integration. The secret and the token stay in this closure: they are written into no
// element, address, storage or log.
(() => {
  "use strict";
  const page = document.getElementById("try");
  if (!page) return;
  const at = (id) => document.getElementById(id);
  const given = page.dataset;
  let token = null;
  let secret = null;

  const tell = (element, text, kind) => {
    element.textContent = text;
    element.className = kind ? `tag ${kind}` : "";
  };
  const busy = (button, on) => {
    button.disabled = on;
    button.setAttribute("aria-busy", String(on));
  };
  const client = (more) => {
    const form = new URLSearchParams({ client_id: given.client, ...more });
    if (secret) form.set("client_secret", secret);
    return form;
  };
  const post = (address, form) => fetch(address, {
    method: "POST", body: form, credentials: "omit", cache: "no-store", redirect: "error",
  });
  const pretty = (text) => {
    try { return JSON.stringify(JSON.parse(text), null, 2); } catch { return text; }
  };

  // The form is of the method "dialog", which sends nothing: without this script neither.
  at("asking").addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = at("exchange");
    const field = at("client-secret");
    if (field && !field.value) { tell(at("exchanged"), "Give the client secret first.", "wait"); field.focus(); return; }
    secret = field ? field.value.trim() : null;
    busy(button, true);
    try {
      const answer = await post(given.tokens, client({
        grant_type: "authorization_code", code: given.code,
        code_verifier: given.verifier, redirect_uri: given.callback,
      }));
      const body = await answer.json();
      if (!answer.ok) {
        tell(at("exchanged"), `${answer.status} ${body.error}: ${body.error_description || ""}`, "shut");
        busy(button, false);
        return;
      }
      token = body.access_token;
      if (field) field.value = "";
      at("asking").hidden = true;
      at("calling").hidden = false;
      tell(at("exchanged"), "200, a token came", "open");
      at("token-facts").textContent =
        `${body.token_type}, for ${Math.round(body.expires_in / 60)} minutes: ${body.scope}`;
      at("path").focus();
    } catch {
      tell(at("exchanged"), "The token endpoint could not be reached.", "shut");
      busy(button, false);
    }
  });

  const route = () => at("route").selectedOptions[0];
  const chosen = () => {
    at("path").value = route().dataset.path;
    at("body-field").hidden = route().dataset.method === "GET";
  };
  at("route").addEventListener("change", chosen);
  chosen();

  const gates = async (decision) => {
    const box = at("gates");
    for (let tries = 0; tries < 20; tries += 1) {
      const answer = await fetch(`/console/try/decisions/${encodeURIComponent(decision)}`);
      if (answer.status === 200) {
        const read = new DOMParser().parseFromString(await answer.text(), "text/html");
        box.replaceChildren(...read.body.childNodes);
        return;
      }
      await new Promise((done) => { setTimeout(done, 250); });
    }
    box.textContent = "The decision was not kept.";
  };

  at("call").addEventListener("click", async (event) => {
    const method = route().dataset.method;
    const path = at("path").value.trim();
    const url = at("base").value + (path.startsWith("/") ? path : `/${path}`);
    const headers = { Authorization: `Bearer ${token}`, Accept: "application/json" };
    const options = { method, headers, credentials: "omit", cache: "no-store", redirect: "error" };
    if (method !== "GET") { headers["Content-Type"] = "application/json"; options.body = at("body").value; }
    at("request").textContent =
      `${method} ${url}\nAuthorization: Bearer (the token)\nAccept: application/json` +
      (options.body === undefined ? "" : `\nContent-Type: application/json\n\n${options.body}`);
    at("answered").hidden = false;
    at("gates").replaceChildren();
    busy(event.target, true);
    try {
      const answer = await fetch(url, options);
      const body = await answer.text();
      tell(at("status"), `${answer.status}`, answer.ok ? "open" : answer.status < 500 ? "wait" : "shut");
      const shown = ["content-type", "atl-request-id", "atl-traceid", "www-authenticate"];
      at("answer").textContent = shown.filter((name) => answer.headers.has(name))
        .map((name) => `${name}: ${answer.headers.get(name)}`).join("\n") + `\n\n${pretty(body)}`;
      const decision = answer.headers.get("atl-request-id");
      if (decision) await gates(decision);
    } catch {
      tell(at("status"), "no answer", "shut");
      at("answer").textContent = "The platform could not be reached.";
    }
    busy(event.target, false);
  });

  at("end-token").addEventListener("click", async (event) => {
    busy(event.target, true);
    const answer = await post(given.revoke, client({ token }));
    tell(at("ended"), answer.ok ? "It has ended; the next call is refused at token." : `${answer.status}`, answer.ok ? "open" : "shut");
    busy(event.target, answer.ok);
  });
})();
