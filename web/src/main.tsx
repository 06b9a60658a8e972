import '@fontsource-variable/inter/wght.css';
import '@fontsource-variable/source-serif-4/wght.css';
import '@mantine/core/styles.css';
import '@mantine/notifications/styles.css';
import './styles.css';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { connect } from './api/client';
import { App } from './app';

const root = document.getElementById('root');
if (!root) throw new Error('index.html has no #root');
await connect(() => {
  root.textContent = 'This page waits for /config.json, which says where its API is. It keeps trying.';
});
root.textContent = '';
createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
