/* Files handed over in parts: what a part is, in base64 and with its check sum. */
(function () {
  "use strict";

  /** Bytes of a part: in base64 well below what a message may have. Divisible by 3. */
  const PART = 393216;

  const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
    let value = byte;
    for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
    return value;
  });

  /** The CRC-32 of bytes, as zip and PNG have it: browsers offer hashes to pages of a safe origin alone. @param {Uint8Array} bytes */
  function crc32(bytes) {
    let value = 0xffffffff;
    for (const byte of bytes) value = TABLE[(value ^ byte) & 255] ^ (value >>> 8);
    return (value ^ 0xffffffff) >>> 0;
  }

  /** @param {Blob} part @returns {Promise<string>} */
  function base64(part) {
    return new Promise((resolve, reject) => {
      const reader = new FileReader();
      reader.addEventListener("load", () => resolve(String(reader.result).split(",", 2)[1] ?? ""));
      reader.addEventListener("error", () => reject(new Error("unreadable")));
      reader.readAsDataURL(part);
    });
  }

  /** A part with its check sum. @param {Blob} part @returns {Promise<{ part: string, crc32: number }>} */
  async function checked(part) {
    const bytes = await part.arrayBuffer().catch(() => Promise.reject(new Error("unreadable")));
    return { part: part.size === 0 ? "" : await base64(part), crc32: crc32(new Uint8Array(bytes)) };
  }

  BreastAI.fileParts = { PART, crc32, base64, checked };
})();
