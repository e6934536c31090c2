// Refuses every address but 127.0.0.1, so that a program fails at once if it needs another machine.
const dns = require("node:dns");
const { syncBuiltinESMExports } = require("node:module");
const net = require("node:net");

function check(host) {
  if (host !== undefined && host !== "127.0.0.1") throw new Error(`${host} is not 127.0.0.1`);
}

const { connect } = net.Socket.prototype;
net.Socket.prototype.connect = function (...args) {
  // It is called with options, with a port and a host, or by Node itself with a list of its arguments.
  const [first, second] = Array.isArray(args[0]) ? args[0] : args;
  if (typeof first === "object") check(first.host);
  else if (typeof second !== "function") check(second);
  return connect.apply(this, args);
};
for (const module of [dns, dns.promises]) {
  const { lookup } = module;
  module.lookup = (host, ...args) => {
    check(host);
    return lookup(host, ...args);
  };
}
syncBuiltinESMExports();
