/* Handing over files that are to stay: in order, part by part, gone on with after a broken connection. */
(function () {
  "use strict";

  const { PART, crc32, checked } = BreastAI.fileParts;

  /** Small files travel together, so many at most. */
  const MOST_PARTS = 200;
  /** So often in a row without a byte more, then it is given up. */
  const MOST_FAILURES = 5;
  const GOES_ON = new Set(["connection lost", "not connected", "upload.out_of_step"]);

  /** @param {number} ms */
  const rest = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

  /** The same for the same files, so that the server knows an upload again. @param {ChosenFiles} chosen @param {number} size */
  function fingerprintOf({ files }, size) {
    const text = files.map(({ path, file }) => `${path}\n${file.size}\n${file.lastModified}`).join("\n");
    return `${crc32(new TextEncoder().encode(text)).toString(16)}-${files.length}-${size}`;
  }

  /**
   * @param {Connection} connection @param {ChosenFiles} chosen @param {Wire.UploadBegun} begun
   * @param {(bytes: number) => void} told @param {AbortSignal} signal
   */
  async function sendRest(connection, { files }, begun, told, signal) {
    let index = begun.files_received;
    let start = begun.received;
    told(begun.bytes_received);
    while (index < files.length) {
      const parts = [];
      for (let room = PART; index < files.length && room > 0 && parts.length < MOST_PARTS; ) {
        const { path, file } = files[index];
        const chunk = file.slice(start, start + room);
        parts.push({ path, size: file.size, start, ...(await checked(chunk)) });
        room -= chunk.size;
        start += chunk.size;
        if (start >= file.size) [index, start] = [index + 1, 0];
      }
      signal.throwIfAborted();
      told((await connection.request("add_upload_parts", { upload: begun.upload, parts })).bytes_received);
    }
  }

  /**
   * Hand files over; the promise holds where they lie, or fails with the server's code.
   * @param {Context} context @param {ChosenFiles} chosen
   * @param {(progress: UploadProgress) => void} tell @param {AbortSignal} signal
   * @returns {Promise<Wire.UploadFinished>}
   */
  async function send({ connection, store }, chosen, tell, signal) {
    const size = chosen.files.reduce((sum, { file }) => sum + file.size, 0);
    const asked = { name: chosen.name.slice(0, 300), files: chosen.files.length, size_bytes: size, fingerprint: fingerprintOf(chosen, size) };
    let upload = "";
    let isWhole = false;
    let bytes = 0;
    for (let failures = 0; ; ) {
      try {
        if (!isWhole) {
          const begun = await connection.request("begin_upload", asked);
          upload = begun.upload;
          await sendRest(connection, chosen, begun, (received) => {
            if (received > bytes) failures = 0;
            bytes = received;
            tell({ phase: "sending", bytes, size });
          }, signal);
          isWhole = true;
        }
        tell({ phase: "unpacking", bytes, size });
        return await connection.request("finish_upload", { upload });
      } catch (error) {
        failures += 1;
        if (signal.aborted || !GOES_ON.has(/** @type {Error} */ (error).message) || failures > MOST_FAILURES) {
          if (upload !== "") connection.request("cancel_upload", { upload }).catch(() => {});
          throw error;
        }
        tell({ phase: "waiting", bytes, size });
        while (store.state().connection.phase !== "connected" && !signal.aborted) await rest(200);
      }
    }
  }

  BreastAI.views.folderUpload = { send };
})();
