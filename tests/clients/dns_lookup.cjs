// For `node --require`: the client of the legacy form calls KEY.akismet.test, a name that no machine knows.
const dns = require("dns");
const lookup = dns.lookup;

dns.lookup = (name, options, done) =>
  name.endsWith("akismet.test") ? lookup("127.0.0.1", options, done) : lookup(name, options, done);
