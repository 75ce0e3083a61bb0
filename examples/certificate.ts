/**
 * A certificate for `localhost`, and its key, for the examples and snippets that speak TLS:
 *
 *     import { certificate } from "examples/certificate.ts";
 *
 * Everybody knows this key, so it protects nothing. Made with
 *
 *     openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 36500 -subj /CN=localhost \
 *       -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE
 *
 * @module
 */

/** Both as PEM texts. */
export const certificate: { cert: string; key: string } = {
  cert: `-----BEGIN CERTIFICATE-----
MIIBmDCCAT6gAwIBAgIUBM6PzFPt/KHsvVkBL6oMP6FMPwkwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMTA1NTIxOVoYDzIxMjYxMDI4
MDU1MjE5WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAATEXGziZe8cPJ+gw/wieH49z6rtfwLv2xiu2Nn79C4vMKMwFr5yT/0Y
qWLqGG7zEtTi1yPNhuGPGibcyX79KqR5o2wwajAdBgNVHQ4EFgQUT1q4IlDjURTz
FDfiK8grkBEqJN4wHwYDVR0jBBgwFoAUT1q4IlDjURTzFDfiK8grkBEqJN4wGgYD
VR0RBBMwEYIJbG9jYWxob3N0hwR/AAABMAwGA1UdEwEB/wQCMAAwCgYIKoZIzj0E
AwIDSAAwRQIhAPn/65/TbzjiisPP6a1OdBc1NvHCmii4fDE2lsptb2N6AiA/oUSD
bwdi2HxAgeKdZaba/LGD0OxtaqSo72wWbwL7KQ==
-----END CERTIFICATE-----
`,
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgk0j2eRmHO7TA+HRR
dQzdbkuycWVPjsc48J+Y00Wk0i2hRANCAATEXGziZe8cPJ+gw/wieH49z6rtfwLv
2xiu2Nn79C4vMKMwFr5yT/0YqWLqGG7zEtTi1yPNhuGPGibcyX79KqR5
-----END PRIVATE KEY-----
`,
};
