import { render } from 'preact';
import './styles/base.css';
import './styles/parts.css';
import './styles/pages.css';
import './lib/theme';
import { resume } from './lib/session';
import { App } from './app';

const root = document.getElementById('app');
if (root) void resume().then(() => render(<App />, root));
