// One capsim for the whole suite.
import { startCapsim } from './system';

export default async function start() {
  const system = await startCapsim();
  process.env.WEB_URL = system.web;
  process.env.GATEWAY_URL = system.gateway;
  return system.stop;
}
