// Colours and type: paper and ink, pine for what acts, brass for what is premium.
import { type CSSVariablesResolver, createTheme, type MantineColorsTuple } from '@mantine/core';

const pine: MantineColorsTuple = [
  '#e9f6f1',
  '#d3eae1',
  '#a6d5c4',
  '#76bfa5',
  '#4fad8b',
  '#36a17a',
  '#1f7f63',
  '#156c53',
  '#0f5a45',
  '#064735',
];
const brass: MantineColorsTuple = [
  '#fdf6e3',
  '#f7e9c4',
  '#eed48b',
  '#e4be50',
  '#dcab25',
  '#c7960f',
  '#a67c06',
  '#856303',
  '#6b4f02',
  '#4c3800',
];
const gray: MantineColorsTuple = [
  '#faf9f5',
  '#f3f0e9',
  '#e9e5da',
  '#dcd6c8',
  '#c9c2b1',
  '#aaa393',
  '#857f72',
  '#5a564d',
  '#3e3b35',
  '#26241f',
];
const dark: MantineColorsTuple = [
  '#d9dee3',
  '#b7bfc7',
  '#98a3ad',
  '#66727d',
  '#3d4751',
  '#2b333b',
  '#20272e',
  '#181d23',
  '#12161b',
  '#0c0f13',
];

/** What people write runs as its own letters do. */
const OWN_DIRECTION = { attributes: { input: { dir: 'auto' } } };

export const theme = createTheme({
  colors: { pine, brass, gray, dark },
  primaryColor: 'pine',
  primaryShade: { light: 7, dark: 6 },
  fontFamily: "'Inter Variable', system-ui, sans-serif",
  headings: { fontFamily: "'Source Serif 4 Variable', Georgia, serif", fontWeight: '600' },
  defaultRadius: 'md',
  cursorType: 'pointer',
  components: {
    TextInput: { defaultProps: OWN_DIRECTION },
    Textarea: { defaultProps: OWN_DIRECTION },
    Select: { defaultProps: OWN_DIRECTION },
    TagsInput: { defaultProps: { dir: 'auto' } },
    Pill: { defaultProps: { attributes: { label: { dir: 'auto' } } } },
    Modal: {
      styles: {
        content: { background: 'var(--surface)' },
        header: { background: 'var(--surface)' },
        title: { fontWeight: 600 },
      },
    },
  },
  focusRing: 'auto',
  respectReducedMotion: true,
});

export const cssVariables: CSSVariablesResolver = () => ({
  variables: {},
  // Dimmed text and placeholders keep a contrast of 4.5 to 1 on every surface.
  light: {
    '--mantine-color-body': '#f8f6f1',
    '--mantine-color-text': '#1c2429',
    '--mantine-color-dimmed': '#56616a',
    '--mantine-color-placeholder': '#6a747c',
    '--mantine-color-error': '#b3261e',
    '--surface': '#ffffff',
    '--surface-sunk': '#f1eee6',
    '--line': '#e2ddd1',
    '--accent': '#0f5a45',
    '--premium': '#7a5a02',
    '--premium-ground': '#fbf0d0',
    '--premium-line': '#e3c977',
  },
  dark: {
    '--mantine-color-body': '#12161b',
    '--mantine-color-text': '#e3e7ea',
    '--mantine-color-dimmed': '#a0abb5',
    '--mantine-color-placeholder': '#87929c',
    '--mantine-color-error': '#ff8a80',
    '--surface': '#1a2026',
    '--surface-sunk': '#161b20',
    '--line': '#2d363f',
    '--accent': '#6fc9ab',
    '--premium': '#f0cf7a',
    '--premium-ground': '#3a3016',
    '--premium-line': '#6b5a26',
  },
});
