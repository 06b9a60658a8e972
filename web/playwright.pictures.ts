// Takes the pictures of the README: npm run pictures
import config from './playwright.config';

export default { ...config, testDir: 'pictures', workers: 1, use: { ...config.use, trace: 'off' } };
