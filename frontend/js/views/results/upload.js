/* Handing an image over to the server, part by part. */
(function () {
  "use strict";

  const { PART, base64 } = BreastAI.fileParts;

  /** Give the server an image, part by part. @param {Connection} connection @param {File} file @param {string} image @param {(share: number) => void} progress */
  async function handOver(connection, file, image, progress) {
    for (let start = 0; start < file.size; start += PART) {
      const part = await base64(file.slice(start, start + PART));
      await connection.request("add_image", { image, file: file.name.slice(0, 300), size: file.size, start, part });
      progress(Math.min(1, (start + PART) / file.size));
    }
  }

  BreastAI.views.upload = { handOver };
})();
